"""The prior of a process that is known is that process."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy.fft import dct, idctn
from scipy.signal import lfilter

from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.prior import (
    KEPT_COLS,
    KEPT_ROWS,
    PRIOR_FILE,
    VideoPrior,
    fit_prior,
    forecast_variance,
    load_prior,
    save_prior,
)
from rtdecode.schema.errors import MissingFileError, ShapeError, UnreadableFileError
from rtdecode.twins.basis import cosine_basis

ROWS, COLS = 6, 8
FIRST, SECOND = 1.2, -0.4


def process(frames: int, *, power: np.ndarray, seed: int = 0) -> np.ndarray:
    """(frame, row, col) video whose cosine coefficients follow one autoregression of order 2."""
    rng = np.random.default_rng(seed)
    driven = rng.normal(size=(frames + 200, ROWS, COLS))
    y = lfilter([1], [1, -FIRST, -SECOND], driven, axis=0)[200:]
    correlation = FIRST / (1 - SECOND)
    variance = 1 / (1 - FIRST * correlation - SECOND * (FIRST * correlation + SECOND))
    return idctn(y * np.sqrt(power / variance), axes=(1, 2), norm="ortho") + 120


def slowest_root(prior: VideoPrior) -> float:
    polynomials = prior.autoregression.flatten(1).T.numpy()
    return max(np.abs(np.roots([1, *-coefficients])).max() for coefficients in polynomials)


def test_it_finds_the_autoregression_of_a_known_process() -> None:
    fitted = fit_prior([process(6000, power=np.full((ROWS, COLS), 50.0))], order=2)
    np.testing.assert_allclose(fitted.autoregression[0], FIRST, atol=0.05)
    np.testing.assert_allclose(fitted.autoregression[1], SECOND, atol=0.05)
    np.testing.assert_allclose(fitted.mean, 120, atol=1)


def test_an_order_that_is_not_needed_stays_near_0() -> None:
    fitted = fit_prior([process(6000, power=np.full((ROWS, COLS), 50.0))], order=4)
    np.testing.assert_allclose(fitted.autoregression[2:], 0, atol=0.08)


def test_it_finds_the_power_of_each_frequency() -> None:
    row, col = np.mgrid[:ROWS, :COLS]
    power = 4000 / (1 + np.hypot(row / ROWS, col / COLS) * 8) ** 2
    clips = [process(600, power=power, seed=seed) for seed in range(5)]
    ratio = fit_prior(clips, order=2).power.numpy() / power
    # Rings pool frequencies whose true power is not quite the same.
    assert ratio.max() < 1.4
    assert ratio.min() > 0.7
    assert ratio.mean() == pytest.approx(1, abs=0.1)


def test_innovations_leave_the_power_as_it_is() -> None:
    """Driven by its innovations for long, the fitted regression gives the fitted power."""
    fitted = fit_prior([process(3000, power=np.full((ROWS, COLS), 50.0))], order=2)
    block = EstimatedFrames(fitted, frames=80)
    unit = torch.zeros(80, ROWS, COLS)
    unit[0] = 1
    response = block.coefficients(unit, torch.zeros(2, ROWS, COLS))
    torch.testing.assert_close(response.square().sum(0), fitted.power, rtol=0.02, atol=0)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), clips=st.integers(1, 3), frames=st.integers(6, 12))
def test_whatever_the_clips_the_video_fades_to_its_mean(seed: int, clips: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    walks = [np.cumsum(rng.normal(0, 9, (frames, ROWS, COLS)), 0) + 100 for _ in range(clips)]
    fitted = fit_prior(walks)
    assert slowest_root(fitted) < 1
    assert bool(torch.isfinite(fitted.innovation_sd).all())
    assert bool((fitted.innovation_sd > 0).all())


def test_light_that_only_grows_in_a_short_clip_does_not_explode() -> None:
    ramp = np.linspace(0, 255, 6)[:, None, None] * np.ones((1, ROWS, COLS))
    assert slowest_root(fit_prior([ramp])) == pytest.approx(0.99, abs=1e-3)


def test_frequencies_that_were_never_shown_are_given_no_light() -> None:
    rng = np.random.default_rng(0)
    flicker = np.ones((1, ROWS, COLS)) * rng.uniform(0, 255, (50, 1, 1))
    fitted = fit_prior([flicker])
    assert all(bool(getattr(fitted, name).isfinite().all()) for name in fitted.__slots__)
    assert fitted.power[0, 0] > 1000
    assert fitted.power[2:, 2:].max() < 0.01


@pytest.mark.parametrize("size", [1, 5, 36])
def test_the_basis_is_that_of_scipy(size: int) -> None:
    expected = dct(np.eye(size), axis=0, norm="ortho")
    np.testing.assert_allclose(cosine_basis(size, kept=size), expected, atol=1e-6)


def test_of_a_published_screen_the_low_frequencies_are_kept() -> None:
    fitted = fit_prior([np.random.default_rng(0).uniform(0, 255, (8, 36, 64))])
    assert fitted.power.shape == (KEPT_ROWS, KEPT_COLS)
    assert fitted.mean.shape == (36, 64)


def test_what_is_saved_is_read_again(prior: VideoPrior, tmp_path: Path) -> None:
    save_prior(prior, tmp_path / "twin")
    loaded = load_prior(tmp_path / "twin")
    for name in VideoPrior.__dataclass_fields__:
        assert torch.equal(getattr(loaded, name), getattr(prior, name))


def test_the_error_of_a_missing_prior_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="rtdecode fit twin"):
        load_prior(tmp_path)


def test_a_damaged_prior_is_named(prior: VideoPrior, tmp_path: Path) -> None:
    save_prior(prior, tmp_path)
    whole = (tmp_path / PRIOR_FILE).read_bytes()
    (tmp_path / PRIOR_FILE).write_bytes(whole[:-7])
    with pytest.raises(UnreadableFileError, match="video prior"):
        load_prior(tmp_path)


def test_arrays_of_something_else_are_no_prior(tmp_path: Path) -> None:
    save_file({"mean": torch.zeros(2, 2)}, tmp_path / PRIOR_FILE)
    with pytest.raises(UnreadableFileError, match="power"):
        load_prior(tmp_path)


def test_no_video_is_refused() -> None:
    with pytest.raises(ShapeError, match="one video or more"):
        fit_prior([])


def test_the_video_that_is_too_short_is_the_one_that_is_named() -> None:
    long, short = np.zeros((20, ROWS, COLS)), np.zeros((5, ROWS, COLS))
    with pytest.raises(ShapeError, match=r"6 frames or more, got shape \(5, 6, 8\)"):
        fit_prior([long, short])


def test_videos_of_two_screens_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(6, 8\) px, got shape \(20, 8, 6\)"):
        fit_prior([np.zeros((20, ROWS, COLS)), np.zeros((20, COLS, ROWS))])


def test_the_forecast_variance_is_that_of_a_known_process_and_ends_at_its_power() -> None:
    # y[t] = a y[t-1] + s u[t]: variance s² (1 - a^2t) / (1 - a²) after t frames
    a, s = 0.8, 3.0
    flat = torch.ones(ROWS, COLS)
    prior = VideoPrior(120 * flat, s**2 / (1 - a**2) * flat, (a * flat)[None], s * flat)
    frames = 40
    expected = s**2 * (1 - a ** (2 * np.arange(1, frames + 1))) / (1 - a**2)
    found = forecast_variance(prior, frames=frames)
    # all coefficients of the orthonormal basis are kept, so each pixel has their variance
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None, None], found.shape), 1e-4)
