"""What the decoder leaves out is reported with each reconstruction."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import unshared
from rtdecode.decode.prior import VideoPrior
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.messages import Reconstruction

NEURONS, FRAMES, LAG = 40, 40, 4
STUCK, ARTEFACT = (3, 30), 30


class StandingClock:
    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        del t_ns


def decoded(
    prior: VideoPrior, make_linear: Callable[..., Any], make_frame: Callable[..., Any]
) -> list[Reconstruction]:
    """Noisy activity, two neurons that are stuck from frame 0 to 19, one frame with an artefact."""
    twin, rng = make_linear(NEURONS, gain=0.01), np.random.default_rng(0)
    config = DecodeConfig(window_frames=12, estimated_frames=8, lag_frames=LAG, steps=2)
    noise = unshared(torch.ones(NEURONS), torch.tensor(0.5))
    decoder = Decoder(config, twin, prior, clock=StandingClock(), noise=noise)
    out: list[Reconstruction] = []
    for number in range(FRAMES):
        activity = 12 + rng.normal(size=NEURONS)
        activity[list(STUCK)] = 1e4 if number < 20 else 12 + rng.normal(size=2)
        out += decoder.step([make_frame(number, activity * (20 if number == ARTEFACT else 1))])
    return out


def test_neurons_that_are_stuck_are_counted_until_they_recover(
    prior: VideoPrior, make_linear: Callable[..., Any], make_frame: Callable[..., Any]
) -> None:
    counts = [one.neurons_left_out for one in decoded(prior, make_linear, make_frame)]
    assert counts[4:26] == [2] * 22  # the window is full by then; recovery takes 12 scans
    assert counts[-1] == 0


def test_the_frame_with_an_artefact_is_named_and_no_other(
    prior: VideoPrior, make_linear: Callable[..., Any], make_frame: Callable[..., Any]
) -> None:
    frames = decoded(prior, make_linear, make_frame)
    assert [one.frame for one in frames if one.frame_left_out] == [ARTEFACT]
