import numpy as np

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.train.starting_point import CELL_PX, coarse_maps, receptive_field_centers


def test_neurons_are_found_where_they_look(
    blob_session: SensoriumFolder, blob_centers_px: np.ndarray
) -> None:
    found = receptive_field_centers(blob_session)
    missed = np.hypot(*(found - blob_centers_px).T)
    assert np.median(missed) < CELL_PX
    assert missed.max() < 2 * CELL_PX


def test_maps_do_not_depend_on_later_frames() -> None:
    rng = np.random.default_rng(0)
    video = rng.uniform(0, 255, (20, 12, 12)).astype(np.float32)
    later = video.copy()
    later[12:] = later[12:][::-1]
    # Scaling is over the whole clip, so the clips must hold the same frames.
    light = slice(0, 16)
    before, after = (coarse_maps(v)[:12, light] for v in (video, later))
    np.testing.assert_allclose(before, after, atol=2e-4)


def test_a_uniform_screen_has_empty_maps() -> None:
    np.testing.assert_array_equal(coarse_maps(np.full((5, 12, 12), 80, np.float32)), 0)


def test_neurons_are_found_though_they_were_not_measured_all_the_time(
    holed_session: SensoriumFolder, blob_centers_px: np.ndarray
) -> None:
    found = receptive_field_centers(holed_session)
    assert np.median(np.hypot(*(found - blob_centers_px).T)) < CELL_PX
