"""A screen of 6 x 8 px, what is known of its video, and twins that see it linearly."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rtdecode.decode.noise import Noise, unshared
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.linear import Linear
from rtdecode.schema.messages import Responses, WindowFrame

ROWS, COLS = 6, 8
KEPT_ROWS, KEPT_COLS = 4, 5
NEURONS, TAPS = 7, 3

MakeFrame = Callable[..., WindowFrame]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def linear(neurons: int, *, level: float = 12.0, gain: float = 0.3, seed: int = 1) -> Linear:
    """Neurons that look at small random patches; `level` is their activity in the grey."""
    spec = TwinSpec(
        "linear",
        neurons,
        ROWS,
        COLS,
        history_frames=TAPS,
        sizes={"taps": TAPS},
        luminance_mean=110.0,
    )
    twin = Linear(spec)
    generator = torch.Generator().manual_seed(seed)
    twin.temporal.data = torch.tensor([[0.2, 0.5, 0.3]])
    twin.spatial.data = gain * torch.randn(neurons, ROWS, COLS, generator=generator)
    twin.bias.data = torch.full((neurons,), level)
    return twin.requires_grad_(False)


@pytest.fixture
def make_linear() -> Callable[..., Linear]:
    return linear


@pytest.fixture
def twin() -> Linear:
    return linear(NEURONS)


@pytest.fixture
def noise() -> Noise:
    """Neurons that are worth more and less; tau is one half."""
    return unshared(torch.linspace(0.5, 2, NEURONS), torch.tensor(0.5))


@pytest.fixture
def prior() -> VideoPrior:
    """Power falls with frequency; low frequencies persist, by an autoregression of order 2."""
    row, col = torch.arange(KEPT_ROWS)[:, None], torch.arange(KEPT_COLS)[None, :]
    height = (row**2 + col**2).sqrt()
    power = 9e3 / (1 + height) ** 2
    first, second = 1.1 - 0.1 * height, torch.full_like(height, -0.2)
    alike = first / (1 - second)
    left = 1 - first * alike - second * (first * alike + second)
    mean = torch.linspace(90, 130, COLS).expand(ROWS, COLS).clone()
    return VideoPrior(mean, power, torch.stack([first, second]), (power * left).sqrt())


@pytest.fixture
def make_frame() -> MakeFrame:
    def frame(
        number: int,
        activity: np.ndarray,
        *,
        valid: np.ndarray | None = None,
        behaviour: np.ndarray | None = None,
    ) -> WindowFrame:
        responses = Responses(
            activity=activity.astype(np.float32),
            valid=np.ones(len(activity), bool) if valid is None else valid,
            frame=number,
            t_frame_ns=0,
            t_scan_ns=1000 * number + 1,
            t_scan_end_ns=1000 * number + 2,
            t_received_ns=1000 * number + 3,
            t_ready_ns=1000 * number + 4,
        )
        return WindowFrame(responses, np.zeros(4, np.float32) if behaviour is None else behaviour)

    return frame
