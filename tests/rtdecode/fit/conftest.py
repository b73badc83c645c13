"""What the tests of fitting share: one thread, simple mice, data with holes."""

import runpy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twins.still import Still
from rtdecode.fit.datasets.sensorium import SensoriumFolder
from rtdecode.fit.datasets.video_session import Stretch
from rtdecode.fit.methods import FittedTwin
from rtdecode.fit.trial import Trial

LINEAR_MOUSE = runpy.run_path(str(Path(__file__).parent / "linear_mouse.py"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """These tests are small, and machines are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def still_twin() -> Callable[[int], Still]:
    """Makes a twin of so many neurons that see edges of a 12 x 16 screen, at random points."""
    return _still_twin


def _still_twin(neurons: int) -> Still:
    spec = TwinSpec(
        "still", neurons, rows_px=12, cols_px=16, history_frames=1,
        sizes={"channels": 8, "layers": 2, "first_px": 5, "later_px": 3},
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    twin = Still(spec).eval().requires_grad_(requires_grad=False)
    for name, value in twin.named_parameters():
        if "norm" not in name:
            value.normal_(std=0.5, generator=generator)
    twin.position.uniform_(-1, 1, generator=generator)
    return twin


class Holed(SensoriumFolder):
    """A session of which every third value is missing, neuron by neuron."""

    def stretch(self, number: int, *, first: int = 0, frames: int | None = None) -> Stretch:
        cut = super().stretch(number, first=first, frames=frames)
        at = first + np.arange(len(cut.responses))[:, None]
        missing = (at + np.arange(self.neurons) + number) % 3 == 0
        return Stretch(
            cut.video, np.where(missing, np.float32(np.nan), cut.responses), cut.behaviour
        )

    def stretches(self, tier: str) -> Iterator[Stretch]:
        for number in self.trials(tier):
            yield self.stretch(number)


@pytest.fixture(scope="session")
def holed_session(blob_session: SensoriumFolder) -> SensoriumFolder:
    """`blob_session` with holes."""
    return Holed(blob_session.folder)


@pytest.fixture
def linear_mouse() -> FittedTwin:
    """40 linear neurons; see `linear_mouse.py`."""
    fitted: FittedTwin = LINEAR_MOUSE["linear_mouse"]()
    return fitted


@pytest.fixture
def watch(linear_mouse: FittedTwin) -> Callable[..., Trial]:
    """Makes trials of the linear mouse."""
    return partial(LINEAR_MOUSE["watched"], linear_mouse)
