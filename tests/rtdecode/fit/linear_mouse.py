"""A mouse whose neurons are linear, and what it watches."""

import numpy as np
import torch

from rtdecode.decode.noise import even_noise
from rtdecode.decode.prior import fit_prior
from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.linear import Linear
from rtdecode.fit.methods import FittedTwin
from rtdecode.fit.trial import Trial


def linear_mouse() -> FittedTwin:
    """40 linear neurons before a screen of 4 x 6 pixels whose video walks at random."""
    spec = TwinSpec(
        architecture="linear",
        neurons=40,
        rows_px=4,
        cols_px=6,
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
    walk = torch.randn(200, 4, 6, generator=generator).cumsum(0) * 5 + 127
    return FittedTwin(twin, fit_prior([walk.numpy()]), even_noise(40, tau=1.0))


def watched(
    mouse: FittedTwin,
    *,
    frames: int = 30,
    pace: float = 0.0,
    noise_sd: float = 0.0,
    seed: int = 3,
) -> Trial:
    """A trial of a picture that stands still, or whose pixels walk by `pace` grey levels a frame.

    noise_sd: of what is added to the activity, in twin units.
    """
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(4, 6, generator=generator) * 40 + 127
    walk = torch.randn(frames, 4, 6, generator=generator).cumsum(0) * pace
    video, behaviour = (still + walk).clamp(0, 255), torch.zeros(frames, 4)
    activity = mouse.twin(video[None], behaviour[None])[0]
    noise = torch.randn(activity.shape, generator=generator) * noise_sd
    return Trial(
        number=0,
        responses=(activity + noise).numpy(),
        valid=np.ones(activity.shape, np.bool_),
        behaviour=behaviour.numpy(),
        truth=video.numpy(),
    )
