import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from screen_masks import measured
from torch import Tensor, nn

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Segment
from rtdecode.decode import predictor
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.decode.prior import PRIOR_FILE
from rtdecode.evaluate.screen_mask import read_screen_mask
from rtdecode.offline import screen_masks
from rtdecode.offline.published_mask import fit_transparency
from rtdecode.offline.screen_masks import (
    MASK_FILE,
    MaskMethod,
    MaskSettings,
    default_method,
    free_mask,
    make_mask,
    posterior_transparency,
    save_mask,
    whole_screen_warning,
)
from rtdecode.offline.trial import Trial
from rtdecode.schema.errors import EmptyMaskError, TooShortError
from rtdecode.twins.folder import load_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec


class LeftLooking(nn.Module):
    """A twin whose neurons see nothing but the light in the left half of the screen."""

    def __init__(self, data: SensoriumFolder) -> None:
        super().__init__()
        self.spec = TwinSpec("left", data.neurons, rows_px=12, cols_px=16, history_frames=4)

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        patches = video[..., :6].unflatten(2, (3, 4)).unflatten(4, (2, 3)).mean((3, 5))
        seen = torch.relu(patches.flatten(2) - 90) / 20
        return torch.cat([seen, seen], 2)[..., : self.spec.neurons]


def test_the_mask_grows_where_the_neurons_look(blob_session: SensoriumFolder) -> None:
    alpha = fit_transparency(LeftLooking(blob_session), blob_session, steps=60, seed=0)
    assert alpha.shape == (12, 16)
    assert alpha[:, :6].mean() > 1.3 * alpha[:, 10:].mean()


def test_the_seed_decides(blob_session: SensoriumFolder) -> None:
    one, same, other = (
        fit_transparency(LeftLooking(blob_session), blob_session, steps=3, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_pixels_from_a_transparency_of_1_on_are_scored(tmp_path: Path) -> None:
    alpha = np.array([[0.2, 1.0], [1.7, 0.99]], np.float32)
    save_mask(alpha, tmp_path / "new" / "m.npy")
    assert np.load(tmp_path / "new" / "m.npy").tolist() == [[False, True], [True, False]]
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "m_transparency.npy"), alpha)


def test_another_threshold_can_be_asked_for(tmp_path: Path) -> None:
    alpha = np.array([[0.2, 0.5], [0.7, 0.49]], np.float32)
    scored = save_mask(alpha, tmp_path / "m.npy", scored_from=0.5)
    assert scored.tolist() == [[False, True], [True, False]]


def test_a_mask_without_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyMaskError, match=r"highest is 0\.40"):
        save_mask(np.full((2, 2), 0.4, np.float32), tmp_path / "m.npy")
    assert not list(tmp_path.iterdir())


def test_a_transparency_just_below_the_threshold_is_stated_with_enough_digits(
    tmp_path: Path,
) -> None:
    alpha = np.full((2, 2), 0.9999, np.float32)
    with pytest.raises(EmptyMaskError, match=r"transparency of 1 \(the highest is 0\.9999\)"):
        save_mask(alpha, tmp_path / "m.npy")
    with pytest.raises(EmptyMaskError, match=r"by 50 % \(of the best one by 49\.99 %\)"):
        save_mask(alpha, tmp_path / "m.npy", fraction=0.5)


def left_looking(mouse: FittedTwin) -> FittedTwin:
    """The linear mouse with receptive fields in the left half of its screen alone."""
    twin = copy.deepcopy(mouse.twin)
    assert isinstance(twin, Linear)
    twin.spatial.data[:, :, 3:] = 0
    return replace(mouse, twin=twin)


class Watched:
    """Validation clips of the linear mouse, a screen of 4 x 6 px."""

    rows_px, cols_px, neurons = 4, 6, 40

    def __init__(self, watch: Callable[..., Trial], *, frames: int = 40) -> None:
        self._trials = [watch(frames=frames, pace=5.0, seed=seed) for seed in range(3)]

    def trials(self, tier: str) -> tuple[int, ...]:
        assert tier == "oracle"
        return tuple(range(len(self._trials)))

    def frames(self, number: int) -> int:
        return len(self._trials[number].truth)

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        cut = slice(first, None if frames is None else first + frames)
        trial = self._trials[number]
        return Segment(trial.truth[cut], trial.responses[cut], trial.behaviour[cut])


def test_the_posterior_finds_the_pixels_that_the_neurons_represent(
    linear_mouse: FittedTwin, watch: Callable[..., Trial]
) -> None:
    data = Watched(watch)
    both = posterior_transparency(linear_mouse, data, fraction=1)
    left = posterior_transparency(left_looking(linear_mouse), data, fraction=1)
    assert both.shape == (4, 6)
    assert 0.15 < both.min() < both.max() < 1
    assert left[:, :2].mean() > 0.7 * both[:, :2].mean()
    assert left[:, 4:].mean() < 0.5 * both[:, 4:].mean()


def test_the_fraction_is_the_unit_of_the_transparency(
    linear_mouse: FittedTwin, watch: Callable[..., Trial]
) -> None:
    data = Watched(watch)
    reduction = posterior_transparency(linear_mouse, data, fraction=1)
    np.testing.assert_allclose(
        posterior_transparency(linear_mouse, data, fraction=0.25), 4 * reduction, rtol=1e-5
    )


def test_trials_shorter_than_a_window_are_refused(
    linear_mouse: FittedTwin, watch: Callable[..., Trial]
) -> None:
    with pytest.raises(TooShortError, match="35 frames"):
        posterior_transparency(linear_mouse, Watched(watch, frames=35))


def test_an_empty_mask_is_the_whole_screen_with_a_remedy(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    asked = MaskSettings(MaskMethod.POSTERIOR, fraction=1.0)
    mask, warning = make_mask(blob_twin, blob_session, tmp_path / "m.npy", asked)
    assert mask.all()
    assert warning is not None
    assert "lower --fraction" in warning
    np.testing.assert_array_equal(read_screen_mask(tmp_path / "m.npy", shape=(12, 16)), mask)
    assert free_mask(blob_session, tmp_path / "m.npy", ()).all()


def test_a_mask_from_the_posterior_is_optimised_from_half_the_fraction(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    asked = MaskSettings(MaskMethod.POSTERIOR, fraction=0.01)
    mask, warning = make_mask(blob_twin, blob_session, tmp_path / "m.npy", asked)
    assert warning is None
    reduction = 0.01 * np.load(tmp_path / "m_transparency.npy")
    np.testing.assert_array_equal(mask, reduction >= 0.01)
    optimised = free_mask(blob_session, tmp_path / "m.npy", ())
    np.testing.assert_array_equal(optimised, reduction >= 0.005)


def test_a_twin_without_prior_and_noise_gets_its_mask_as_published(
    blob_twin: Path, tmp_path: Path
) -> None:
    assert default_method(blob_twin) is MaskMethod.POSTERIOR
    shutil.copytree(blob_twin, tmp_path / "imported")
    (tmp_path / "imported" / PRIOR_FILE).unlink()
    assert default_method(tmp_path / "imported") is MaskMethod.PUBLISHED


def test_a_whole_screen_is_warned_of(tmp_path: Path) -> None:
    assert "no screen mask" in str(whole_screen_warning(None, ()))
    np.save(tmp_path / MASK_FILE, np.ones((2, 3), bool))
    assert "has all pixels" in str(whole_screen_warning(None, (tmp_path,)))
    np.save(tmp_path / MASK_FILE, np.eye(2, dtype=bool))
    assert whole_screen_warning(None, (tmp_path,)) is None


def test_the_mask_grows_though_neurons_were_not_measured_all_the_time(
    holed_session: SensoriumFolder,
) -> None:
    alpha = fit_transparency(LeftLooking(holed_session), holed_session, steps=60, seed=0)
    assert alpha[:, :6].mean() > 1.3 * alpha[:, 10:].mean()


def test_the_benchmark_compares_masks_of_a_session(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    """The smoke form of `benchmarks/screen_masks.py`, on mice too small to have a result."""
    shutil.copytree(blob_twin, tmp_path / "twin")
    np.save(tmp_path / "twin" / MASK_FILE, np.eye(12, 16, dtype=bool))
    found = measured(blob_session.folder, tmp_path / "twin", clips=1)
    assert found["subsets"]["all"]["neurons"] == 12
    assert found["subsets"]["left half"]["neurons"] < 12
    assert found["pixels"]["published"] == 12
    assert -1 <= found["video_r"]["published"] <= 1


META = torch.device("meta")
"""Its tensors have shapes and no values: they raise where one is copied to the host."""


def test_the_published_fit_copies_its_gradients_alone_from_the_device_of_the_twin(
    blob_session: SensoriumFolder, blob_twin: Path
) -> None:
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        fit_transparency(load_twin(blob_twin, device=META), blob_session, steps=1, seed=0)


def test_a_mask_by_torch_as_on_a_gpu_is_that_of_the_compiled_loops(
    blob_session: SensoriumFolder, blob_twin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = load_fitted_twin(blob_twin, neurons=blob_session.neurons)
    by_loops = posterior_transparency(fitted, blob_session, fraction=1)
    monkeypatch.setattr(predictor, "_is_frozen_on_host", lambda _twin: False)
    by_torch = posterior_transparency(fitted, blob_session, fraction=1)
    assert not np.array_equal(by_torch, by_loops)  # the other code has run
    np.testing.assert_allclose(by_torch, by_loops, atol=0.01)
    assert np.ptp(by_loops) > 0.05


def test_the_twin_of_a_mask_is_read_onto_the_device(
    blob_session: SensoriumFolder,
    blob_twin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[torch.device]()

    def fitted(folder: Path, *, neurons: int, session: Path, device: torch.device) -> FittedTwin:
        asked.append(device)
        return load_fitted_twin(folder, neurons=neurons, session=session)

    def weights(folder: Path, *, device: torch.device) -> object:
        asked.append(device)
        return load_twin(folder)

    monkeypatch.setattr(screen_masks, "load_fitted_twin", fitted)
    monkeypatch.setattr(screen_masks, "load_twin", weights)
    for method in MaskMethod:
        settings = MaskSettings(method, steps=1)
        make_mask(blob_twin, blob_session, tmp_path / "m.npy", settings, device=META)
    assert asked == [META, META]
