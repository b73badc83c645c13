"""Sessions of each kind that is read, made up where they are needed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nwb_recording import NwbRecording
from own_run import Run
from scipy.ndimage import gaussian_filter

ROWS, COLS = 12, 16
Array = np.ndarray


@pytest.fixture
def recording(tmp_path: Path) -> Any:
    """An empty NWB file, to be filled."""
    return NwbRecording(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """A session of rtdecode, to be filled."""
    return Run(tmp_path)


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """For tests that need one for each example."""
    return lambda: Run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def blobs() -> Callable[..., Array]:
    """(frame, row, col) grey levels: soft blobs that come and go."""

    def made(seed: int, frames: int = 100) -> Array:
        noise = np.random.default_rng(seed).normal(size=(frames, ROWS, COLS))
        soft = gaussian_filter(noise, (4, 1.5, 1.5))
        return np.clip(110 + 50 * soft / soft.std(), 0, 255).astype(np.uint8)

    return made


@pytest.fixture
def recorded(run: Any, blobs: Callable[..., Array]) -> Any:
    """Five different clips of 100 frames, the first of them shown again at the end."""
    for number in (0, 1, 2, 3, 4, 0):
        run.clip(f"clip{number}", blobs(number))
    run.end()
    return run
