"""Fixtures of the stimulus tests: a simulated clock, a sink that keeps messages, test videos."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.schema.messages import Body, DisplayedFrame


@dataclass
class HandClock:
    """Time that moves by sleeping alone."""

    now: int = 5_000_000_000

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, t_ns: int) -> None:
        self.now = max(self.now, t_ns)


@dataclass
class Shelf:
    """Keeps what is pushed."""

    bodies: list[Body] = field(default_factory=list)

    def push(self, item: Body) -> None:
        self.bodies.append(item)

    def shown(self) -> list[DisplayedFrame]:
        return [body for body in self.bodies if isinstance(body, DisplayedFrame)]


def _written(
    path: Path,
    frames: NDArray[np.uint8],
    rate: int,
    *,
    rotation: int = 0,
    codec: str = "libx264",
    pixels: str = "yuv420p",
) -> Path:
    """A video of (frame, row, col) grey levels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:], pixels
        stream.set_display_rotation(rotation)
        for grey in frames:
            frame = av.VideoFrame.from_ndarray(np.stack([grey] * 3, axis=-1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    """Forty (36, 64) pictures that differ everywhere."""
    return np.random.default_rng(3).integers(0, 256, (40, 36, 64), np.uint8)


@pytest.fixture
def film() -> Callable[..., Path]:
    """Writes a film: (path, (frame, row, col) grey levels, frames a second)."""
    return _written


@pytest.fixture
def blocks() -> NDArray[np.uint8]:
    """Forty (36, 64) pictures of 4 x 4 blocks, each block with a grey level of its own."""
    coarse = np.random.default_rng(8).integers(0, 256, (40, 9, 16), np.uint8)
    return np.kron(coarse, np.ones((1, 4, 4), np.uint8))


@pytest.fixture
def video(tmp_path: Path, blocks: NDArray[np.uint8]) -> Path:
    """A film of `blocks`, 144 x 256 pixels, 30 frames a second, alone in its folder."""
    path = tmp_path / "films" / "film.mp4"
    path.parent.mkdir()
    return _written(path, np.kron(blocks, np.ones((1, 4, 4), np.uint8)), rate=30)
