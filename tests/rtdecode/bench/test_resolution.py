"""Stimuli have the scale that they state, and coarse, slow ones are resolved best."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.bench.resolution import (
    GRATING,
    NOISE,
    NOISE_FREE,
    OFFLINE,
    ONLINE,
    ResolutionSettings,
    Stimulus,
    bench_resolution,
    displays,
)
from rtdecode.bench.resolution_figure import draw_resolution
from rtdecode.bench.resolution_stimuli import CONTRAST_SD, MEAN, drifting_grating, gaussian_noise
from rtdecode.bench.subject import Subject
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.offline.trial import Trial

SMALL = ResolutionSettings(
    spaces_px=(0.0, 4.0),
    times_frames=(0.0, 8.0),
    cycles_px=(1 / 8,),
    drifts_hz=(1.0,),
    clips=2,
    frames=48,
    lag_frames=2,
    offline_iterations=5,
)


def correlation(video: np.ndarray, *, axis: int, distance: int) -> float:
    near = np.take(video, range(video.shape[axis] - distance), axis)
    far = np.take(video, range(distance, video.shape[axis]), axis)
    return float(np.corrcoef(near.ravel(), far.ravel())[0, 1])


def test_noise_has_the_correlation_of_its_scale_in_space_and_in_time() -> None:
    rng = np.random.default_rng(0)
    video = gaussian_noise((200, 60, 80), space_px=2.0, time_frames=3.0, rng=rng)
    assert correlation(video, axis=0, distance=6) == pytest.approx(np.exp(-1), abs=0.06)
    assert correlation(video, axis=1, distance=4) == pytest.approx(np.exp(-1), abs=0.06)
    white = gaussian_noise((50, 30, 40), space_px=0.0, time_frames=0.0, rng=rng)
    assert correlation(white, axis=0, distance=1) == pytest.approx(0, abs=0.03)
    for one in (video, white):
        assert one.mean() == pytest.approx(MEAN, abs=2)
        assert one.std() == pytest.approx(CONTRAST_SD, rel=0.05)
        assert one.min() >= 0
        assert one.max() <= 255


def test_a_grating_repeats_after_its_period_and_drifts_at_its_rate() -> None:
    video = drifting_grating(
        (31, 8, 32), cycles_px=1 / 8, drift_hz=2.0, direction_deg=0.0, frame_rate_hz=30.0
    )
    np.testing.assert_array_equal(video[:, :, 8:], video[:, :, :-8])
    np.testing.assert_array_equal(video[:, :1], video[:, 1:2])
    np.testing.assert_array_equal(video[15], video[0])
    # half a cycle in a quarter of a second
    assert correlation(video[:23], axis=0, distance=7) < -0.5
    still = drifting_grating(
        (5, 16, 16), cycles_px=1 / 8, drift_hz=0.0, direction_deg=90.0, frame_rate_hz=30.0
    )
    np.testing.assert_array_equal(still[1:], still[:-1])
    np.testing.assert_array_equal(still[:, :, 0], still[:, :, 9])


@pytest.fixture
def subject(linear_mouse: FittedTwin, watch: Callable[..., Trial]) -> Subject:
    mask = np.ones((4, 6), np.bool_)
    return Subject([linear_mouse], mask, [watch()], [], {"data": "linear mouse"})


def test_all_scales_are_filtered_from_the_same_noise(subject: Subject) -> None:
    white, again = (list(displays(Stimulus(NOISE, 0.0, 0.0), subject, SMALL)) for _ in range(2))
    assert [trial.number for trial in white] == [0, 1]
    np.testing.assert_array_equal(white[0].truth, again[0].truth)
    assert np.abs(white[0].truth - white[1].truth).mean() > 10
    gratings = list(displays(Stimulus(GRATING, 1 / 8, 1.0), subject, SMALL))
    assert np.abs(gratings[0].truth - gratings[1].truth).mean() > 10


@pytest.mark.slow
def test_each_stimulus_is_decoded_online_and_offline_without_and_with_noise(
    subject: Subject, tmp_path: Path
) -> None:
    lines: list[str] = []
    file = tmp_path / "resolution.json"
    rows = bench_resolution(subject, SMALL, file, report=lambda line, *_: lines.append(line))
    assert len(lines) == len(rows) == 4 * (2 * 2 + 1)
    r = {
        (row["kind"], row["space"], row["time"]): row["video_r"]["mean"]
        for row in rows
        if (row["activity"], row["method"]) == (NOISE_FREE, ONLINE)
    }
    assert r[NOISE, 4.0, 8.0] > r[NOISE, 0.0, 0.0] + 0.04
    for row in rows:
        assert ("difference" in row) == (row["method"] == ONLINE)
        assert row.get("compared_with", {"method": OFFLINE})["method"] == OFFLINE
    draw_resolution(rows, tmp_path / "figures")
    for kind in (NOISE, GRATING):
        assert imread(tmp_path / "figures" / f"resolution_{kind}.png").std() > 0.05
    again: list[str] = []
    bench_resolution(subject, SMALL, file, report=lambda line, *_: again.append(line))
    assert all(line.endswith("(exists already)") for line in again)
