"""Taking a part out leaves everything else as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtdecode.decode.basis import cosine_basis
from rtdecode.decode.inverter import Inverter
from rtdecode.decode.noise import even_noise
from rtdecode.decode.prior import VideoPrior, fit_prior
from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.linear import Linear
from rtdecode.fit.ablation import ByWindows, cold_start, without_guess, without_prior
from rtdecode.fit.methods import FittedTwin, Online
from rtdecode.fit.trial import Trial
from rtdecode.schema.config.decode import DecodeConfig

ROWS, COLS, FRAMES, NEURONS = 4, 6, 30, 40


def fitted() -> FittedTwin:
    spec = TwinSpec(
        architecture="linear",
        neurons=NEURONS,
        rows_px=ROWS,
        cols_px=COLS,
        luminance_mean=127.0,
        luminance_sd=50.0,
        history_frames=1,
        sizes={"taps": 1},
    )
    generator = torch.Generator().manual_seed(0)
    twin = Linear(spec)
    with torch.no_grad():
        twin.temporal.fill_(1.0)
        twin.spatial.normal_(generator=generator).mul_(0.1)
        twin.bias.fill_(4.0)
    twin.requires_grad_(requires_grad=False)
    noise = torch.randn(200, 4, 6, generator=generator).cumsum(0) * 5 + 127
    return FittedTwin(twin, fit_prior([noise.numpy()]), even_noise(NEURONS, tau=1.0))


def trial(model: FittedTwin) -> Trial:
    steady = torch.randn(ROWS, COLS, generator=torch.Generator().manual_seed(3)) * 40 + 127
    video = steady.clamp(0, 255).expand(FRAMES, -1, -1)
    behaviour = torch.zeros(FRAMES, 4)
    responses = model.twin(video[None], behaviour[None])[0]
    return Trial(
        number=0,
        responses=responses.numpy(),
        valid=np.ones((FRAMES, NEURONS), np.bool_),
        behaviour=behaviour.numpy(),
        truth=video.numpy(),
    )


def pixel_variance(prior: VideoPrior) -> float:
    down, across = cosine_basis(ROWS, kept=ROWS), cosine_basis(COLS, kept=COLS)
    return float((down.T.square() @ prior.power @ across.square()).mean())


def test_without_the_prior_contrast_and_mean_stay() -> None:
    before = fitted().prior
    flat = without_prior(fitted()).prior
    assert pixel_variance(flat) == pytest.approx(pixel_variance(before), rel=1e-4)
    assert float(flat.mean.mean()) == pytest.approx(float(before.mean.mean()), rel=1e-5)
    assert float(flat.power.std()) == 0
    assert float(flat.autoregression.abs().max()) == 0


def test_between_windows_the_live_decoder_moves_on_by_a_frame_and_no_more() -> None:
    model, config = fitted(), DecodeConfig(window_frames=8, free_frames=6, lag_frames=2, steps=2)
    by_windows = ByWindows(model, config, begin=lambda inverter: inverter.advance(1))
    live = Online([model], config).video(trial(model))
    np.testing.assert_allclose(by_windows.video(trial(model)), live, atol=1e-3)


def test_a_cold_start_knows_nothing_of_what_came_before_its_window() -> None:
    model, config = fitted(), DecodeConfig(window_frames=8, free_frames=6, lag_frames=2, steps=2)
    shown = trial(model)
    disturbed = replace(shown, responses=shown.responses.copy())
    disturbed.responses[:10] = 0
    cold = [cold_start(model, config).video(one)[15:28] for one in (shown, disturbed)]
    np.testing.assert_array_equal(*cold)
    warm = [Online([model], config).video(one)[15:28] for one in (shown, disturbed)]
    assert np.abs(warm[0] - warm[1]).max() > 1


def test_without_a_guess_a_new_frame_starts_from_the_mean_and_old_ones_stay() -> None:
    model, config = fitted(), DecodeConfig(window_frames=8, free_frames=6, lag_frames=0, steps=1)
    shown = trial(model)
    started: list[list[np.ndarray]] = []

    def watch(inverter: Inverter) -> None:
        before = inverter.result(back=4)[0]
        without_guess(model, config).begin(inverter)
        started.append([before, inverter.result(back=5)[0]])

    ByWindows(model, config, begin=watch).video(shown)
    for before, after in started[1:]:
        np.testing.assert_allclose(after[:-1], before, atol=1e-3)
        np.testing.assert_allclose(after[-1], model.prior.mean, atol=1e-3)
    usual = Online([model], config).video(shown)
    less = without_guess(model, config).video(shown)
    assert np.abs(less - shown.truth).mean() > np.abs(usual - shown.truth).mean()
