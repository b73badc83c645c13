"""What is known of a neuron's noise is found again from its trials."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.signal import lfilter
from torch import Tensor

from rtdecode.decode.noise import NOISE_FILE, Noise, even_noise, fit_noise, load_noise, save_noise
from rtdecode.decode.twins.linear import Linear
from rtdecode.schema.errors import MissingFileError, TooShortError, UnreadableFileError

NEURONS, LEVEL, FRAMES = 5, 3.0, 400
DISPERSION = np.array([0.25, 0.5, 1, 2, 4])

MakeLinear = Callable[..., Linear]


def trials(
    count: int, *, frames: int = FRAMES, kept: float = 0.0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """A level of activity, with noise that keeps a share of itself from frame to frame."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        white = rng.normal(size=(frames + 100, NEURONS)) * np.sqrt(1 - kept**2)
        noise = lfilter([1], [1, -kept], white, axis=0)[100:] * np.sqrt(DISPERSION * LEVEL)
        yield (
            torch.full((frames, 6, 8), 110.0),
            torch.zeros(frames, 4),
            torch.from_numpy((LEVEL + noise).astype(np.float32)),
        )


@pytest.fixture
def twin(make_linear: MakeLinear) -> Linear:
    """Predicts the level, whatever it sees."""
    return make_linear(NEURONS, level=LEVEL, gain=0.0)


def test_dispersion_is_variance_over_mean(twin: Linear) -> None:
    np.testing.assert_allclose(fit_noise(twin, trials(20)).dispersion, DISPERSION, rtol=0.05)


def test_a_poisson_count_has_dispersion_1(twin: Linear) -> None:
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.poisson(LEVEL, (4000, NEURONS)).astype(np.float32))
    noise = fit_noise(twin, [(torch.zeros(4000, 6, 8), torch.zeros(4000, 4), counts)])
    np.testing.assert_allclose(noise.dispersion, 1, rtol=0.1)


def test_frames_that_know_nothing_of_each_other_count_in_full(twin: Linear) -> None:
    assert float(fit_noise(twin, trials(20)).tau) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kept", [0.5, 0.8])
def test_frames_alike_count_by_their_integrated_autocorrelation(twin: Linear, kept: float) -> None:
    """Of an autoregression of order 1 it is (1 + kept) / (1 - kept)."""
    noise = fit_noise(twin, trials(30, kept=kept))
    assert 1 / float(noise.tau) == pytest.approx((1 + kept) / (1 - kept), rel=0.1)


def test_the_first_frames_without_history_are_left_out(twin: Linear) -> None:
    [(video, behaviour, responses)] = trials(1)
    spoilt = responses.clone()
    spoilt[: twin.spec.history_frames] = 1e4
    clean = fit_noise(twin, [(video, behaviour, responses)])
    assert torch.equal(fit_noise(twin, [(video, behaviour, spoilt)]).dispersion, clean.dispersion)


def test_trials_that_are_too_short_change_nothing(twin: Linear) -> None:
    noise = fit_noise(twin, [*trials(1), *trials(2, frames=4), *trials(1, frames=3)])
    alone = fit_noise(twin, trials(1))
    assert torch.equal(noise.dispersion, alone.dispersion)
    assert noise.tau == alone.tau


def test_nothing_but_short_trials_is_refused(twin: Linear) -> None:
    with pytest.raises(TooShortError, match="has 4 frames, at least 5"):
        fit_noise(twin, trials(3, frames=4))
    with pytest.raises(TooShortError, match="has 0 frames"):
        fit_noise(twin, [])


def test_a_mouse_of_which_nothing_is_known_is_poisson() -> None:
    noise = even_noise(3)
    assert noise.dispersion.tolist() == [1, 1, 1]
    assert float(noise.tau) == pytest.approx(0.2)


def test_what_is_saved_is_read_again(tmp_path: Path, noise: Noise) -> None:
    save_noise(noise, tmp_path / "twin")
    loaded = load_noise(tmp_path / "twin", neurons=len(noise.dispersion))
    assert torch.equal(loaded.dispersion, noise.dispersion)
    assert loaded.tau == noise.tau


def test_missing_damaged_and_foreign_noise_is_named(tmp_path: Path, noise: Noise) -> None:
    with pytest.raises(MissingFileError, match="rtdecode fit twin"):
        load_noise(tmp_path, neurons=7)
    save_noise(noise, tmp_path)
    with pytest.raises(UnreadableFileError, match=r"of 9 neurons, as the twin .* got that of 7"):
        load_noise(tmp_path, neurons=9)
    save_file({"tau": torch.ones(())}, tmp_path / NOISE_FILE)
    with pytest.raises(UnreadableFileError, match="dispersion"):
        load_noise(tmp_path, neurons=7)
    (tmp_path / NOISE_FILE).write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match="noise of the twin"):
        load_noise(tmp_path, neurons=7)


def test_what_was_not_measured_counts_neither_way(twin: Linear) -> None:
    rng = np.random.default_rng(2)

    def holed(responses: Tensor) -> Tensor:
        kept = torch.from_numpy(rng.random(responses.shape) > 0.3)
        return torch.where(kept, responses, torch.nan)

    noise = fit_noise(twin, [(v, b, holed(r)) for v, b, r in trials(30)])
    np.testing.assert_allclose(noise.dispersion, DISPERSION, rtol=0.06)
    assert float(noise.tau) == pytest.approx(1, abs=0.1)
