"""Perceptual hashes of clips, to tell whether the twin was trained on what is scored.

Each hashed frame is 128 bits: the signs of its 8 x 16 lowest spatial frequencies (DCT without
the mean), which survive noise, compression, brightness and contrast. A clip's hash is that of
every sixth frame, as one hex string; clips are compared frame by frame whatever their order, so
that a cut, shifted or resampled copy is found too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ShapeError

Bits = NDArray[np.uint64]

HASHED_EVERY_FRAMES = 6
LEAKED_FRACTION = 0.5
"""From this part of matching frames on a clip counts as seen in training."""
_ROWS, _COLS = 8, 16
_WORDS = _ROWS * _COLS // 64
_HEX_DIGITS = _ROWS * _COLS // 4
_NEAR_BITS = 20
_ROUNDING = 1e-6
_EVEN_SD = 2.0
"""Frames whose grey levels vary less carry no picture: their bits would be noise."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A training clip that a scored clip repeats."""

    clip: int
    """Its number among the twin's training clips."""
    fraction: float
    """Part of the frames that match, 0 to 1."""


def clip_hash(video: NDArray[np.generic]) -> str:
    """Hash of a (frame, row, col) clip in any units; empty where no frame holds a picture."""
    return frame_bits(video[::HASHED_EVERY_FRAMES]).astype(">u8").tobytes().hex()


def frame_bits(video: NDArray[np.generic]) -> Bits:
    """(picture, 2) words of the frames that hold a picture; others, and NaN, are left out."""
    if video.ndim != 3:  # noqa: PLR2004
        raise ShapeError("video", expected="(frame, row, col)", got=video)
    frames = video.astype(np.float64)
    frames = frames[np.isfinite(frames).all((1, 2))]
    frames = frames[frames.std((1, 2)) > _EVEN_SD]
    low = _cosines(video.shape[1], _ROWS) @ frames @ _cosines(video.shape[2], _COLS).T
    # Frequencies that a frame does not hold must not become bits of rounding noise.
    signs = (low > _ROUNDING).reshape(len(frames), _ROWS * _COLS)
    return np.packbits(signs, axis=1).view(">u8").astype(np.uint64).reshape(-1, _WORDS)


class TrainedClips:
    """The hashes that travel with a twin, ready to be compared with.

    Parameters
    ----------
    hashes
        One `clip_hash` for each training clip.
    """

    def __init__(self, hashes: Sequence[str]) -> None:
        bits = [np.frombuffer(bytes.fromhex(h), ">u8").astype(np.uint64) for h in hashes]
        self._n_clips = len(hashes)
        self._clip = np.repeat(np.arange(len(bits)), [len(b) // _WORDS for b in bits])
        self._bits = np.concatenate([*bits, np.zeros(0, np.uint64)]).reshape(-1, _WORDS)

    def leak(self, video: NDArray[np.generic]) -> Leak | None:
        """Find the training clip that a (frame, row, col) video repeats most, or None."""
        return max(self.leaks(video), key=lambda leak: leak.fraction, default=None)

    def leaks(self, video: NDArray[np.generic]) -> list[Leak]:
        """All training clips that a (frame, row, col) video repeats, in their order."""
        shown = frame_bits(video)
        if not len(shown) or not len(self._bits):
            return []
        near = self._near(shown)
        fractions = [self._fraction(near[:, self._clip == clip]) for clip in range(self._n_clips)]
        return [Leak(k, part) for k, part in enumerate(fractions) if part >= LEAKED_FRACTION]

    def is_trained_frame(self, frame: NDArray[np.generic]) -> bool:
        """Tell whether a single (row, col) frame looks like any hashed training frame."""
        return bool(self._near(frame_bits(frame[None])).any())

    def _near(self, shown: Bits) -> NDArray[np.bool_]:
        """(shown, trained) True where the two frames differ in few bits."""
        differing = np.zeros((len(shown), len(self._bits)), np.uint8)
        for word in range(_WORDS):
            differing += np.bitwise_count(shown[:, word, None] ^ self._bits[:, word])
        return differing <= _NEAR_BITS

    @staticmethod
    def _fraction(near: NDArray[np.bool_]) -> float:
        """Part that matches, of the shown frames or of the training clip, whichever is more."""
        if not near.size:
            return 0.0
        return float(max(near.any(0).mean(), near.any(1).mean()))


def _cosines(size: int, count: int) -> NDArray[np.float64]:
    """(count, size) lowest cosines of the DCT-II but the constant one."""
    order, place = np.arange(1, count + 1)[:, None], np.arange(size)[None, :]
    return np.cos(np.pi * order * (2 * place + 1) / (2 * size))


def trained_clips(config: RunConfig) -> tuple[str, ...]:
    """Perceptual hashes out of the twin's description; none where there is no twin.

    Read from the JSON alone: the scorer needs no torch.
    """
    if config.decode is None or config.decode.twin is None:
        return ()
    path = config.decode.twin / "twin.json"
    if not path.is_file():
        return ()
    described = json.loads(path.read_text(encoding="utf-8"))
    return tuple(described.get("training_clips", ()))
