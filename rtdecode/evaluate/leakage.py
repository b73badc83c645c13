"""Perceptual hashes of clips, to find scored clips that the twin was trained on.

Each hashed frame is 128 bits: the signs of its 8 x 16 lowest spatial frequencies (DCT without
the mean), which noise, compression, brightness and contrast leave unchanged. The hash of a clip
consists of those of every sixth frame, as one hex string. Clips are compared frame by frame in any
order, so that a cut, shifted or resampled copy is found too.
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
"""Fraction of matching frames from which a clip counts as a training clip."""
_ROWS, _COLS = 8, 16
_WORDS = _ROWS * _COLS // 64
_HEX_DIGITS = _ROWS * _COLS // 4
_NEAR_BITS = 20
_ROUNDING = 1e-6
_EVEN_SD = 2.0
"""Least SD of grey levels of a hashed frame; the bits of more uniform frames would be noise."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A training clip that a scored clip matches."""

    clip: int
    """Its number among the twin's training clips."""
    fraction: float
    """Fraction of frames that match, 0 to 1."""


def clip_hash(video: NDArray[np.generic]) -> str:
    """Hash of a (frame, row, col) clip in any units; empty where all frames are uniform."""
    return frame_bits(video[::HASHED_EVERY_FRAMES]).astype(">u8").tobytes().hex()


def frame_bits(video: NDArray[np.generic]) -> Bits:
    """(frame, 2) words of 64 bits; uniform frames and frames with NaN are left out."""
    if video.ndim != 3:  # noqa: PLR2004
        raise ShapeError("video", expected="(frame, row, col)", got=video)
    frames = video.astype(np.float64)
    frames = frames[np.isfinite(frames).all((1, 2))]
    frames = frames[frames.std((1, 2)) > _EVEN_SD]
    low = _cosines(video.shape[1], _ROWS) @ frames @ _cosines(video.shape[2], _COLS).T
    # rounding errors of frequencies that a frame does not contain must not become bits
    signs = (low > _ROUNDING).reshape(len(frames), _ROWS * _COLS)
    return np.packbits(signs, axis=1).view(">u8").astype(np.uint64).reshape(-1, _WORDS)


class TrainedClips:
    """Hashes of the training clips of a twin, for comparison.

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
        """The training clip with most matches to a (frame, row, col) video, or None."""
        return max(self.leaks(video), key=lambda leak: leak.fraction, default=None)

    def leaks(self, video: NDArray[np.generic]) -> list[Leak]:
        """All training clips that a (frame, row, col) video matches, in their order."""
        displayed = frame_bits(video)
        if not len(displayed) or not len(self._bits):
            return []
        near = self._near(displayed)
        fractions = [self._fraction(near[:, self._clip == clip]) for clip in range(self._n_clips)]
        return [Leak(k, part) for k, part in enumerate(fractions) if part >= LEAKED_FRACTION]

    def is_trained_frame(self, frame: NDArray[np.generic]) -> bool:
        """Whether a (row, col) frame matches any hashed training frame."""
        return bool(self._near(frame_bits(frame[None])).any())

    def _near(self, displayed: Bits) -> NDArray[np.bool_]:
        """(displayed, trained) True where the two frames differ in at most 20 of 128 bits."""
        differing = np.zeros((len(displayed), len(self._bits)), np.uint8)
        for word in range(_WORDS):
            differing += np.bitwise_count(displayed[:, word, None] ^ self._bits[:, word])
        return differing <= _NEAR_BITS

    @staticmethod
    def _fraction(near: NDArray[np.bool_]) -> float:
        """Fraction of matching displayed or training frames, whichever is larger."""
        if not near.size:
            return 0.0
        return float(max(near.any(0).mean(), near.any(1).mean()))


def _cosines(size: int, count: int) -> NDArray[np.float64]:
    """(count, size) lowest cosines of the DCT-II, cos(π k (2 n + 1) / (2 N)), without k = 0."""
    order, place = np.arange(1, count + 1)[:, None], np.arange(size)[None, :]
    return np.cos(np.pi * order * (2 * place + 1) / (2 * size))


def trained_clips(config: RunConfig) -> tuple[str, ...]:
    """Hashes of the training clips in the descriptions of the configured twins; empty without.

    They are read from twin.json, so that the live score does not import torch.
    """
    if config.decode is None:
        return ()
    found: dict[str, None] = {}
    for path in (folder / "twin.json" for folder in config.decode.twin_folders):
        if path.is_file():
            described = json.loads(path.read_text(encoding="utf-8"))
            found |= dict.fromkeys(described.get("training_clips", ()))
    return tuple(found)
