"""Score of each displayed clip with a bootstrap interval, from the sums of the live score.

The interval is over blocks of a second: frames of one second are alike, and are drawn together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair
from rtdecode.evaluate.running import FrameScore, Mean
from rtdecode.evaluate.shift_moments import r_at_shifts

F64 = NDArray[np.float64]
MOST_CLIPS = 200
"""Clips that are scored apart; a session of natural video has forty."""
_MOST_BLOCKS = 20_000
_DRAWS = 1000
_FEWEST_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class ClipRow:
    """Agreement of decoded with displayed frames over all presentations of one clip."""

    clip: str
    presentations: int
    frames: int
    video_r: float
    low: float
    """Limits of the 95 % interval; NaN with fewer than three seconds."""
    high: float
    frame_r: float
    ssim: float


@dataclass(slots=True)
class _Sums:
    blocks: dict[int, F64] = field(default_factory=dict)
    frames: int = 0
    presentations: int = 0
    frame_r: Mean = field(default_factory=Mean)
    ssim: Mean = field(default_factory=Mean)


class ClipTable:
    """Adds up the scored frames of each clip; bounded in clips and in blocks."""

    def __init__(self, *, frame_rate_hz: float) -> None:
        self._block_frames = max(1, round(frame_rate_hz))
        self._clips: dict[str, _Sums] = {}
        self._last: tuple[str, int] | None = None
        self._n_blocks = 0
        self.left_out = 0
        """Clips beyond the first `MOST_CLIPS`."""

    def add(self, pair: Pair, score: FrameScore) -> None:
        """Add a scored frame."""
        clip, index = pair.displayed.clip, pair.displayed.index
        if clip not in self._clips and len(self._clips) >= MOST_CLIPS:
            self.left_out += self._last is None or self._last[0] != clip
            self._last = clip, index
            return
        sums = self._clips.setdefault(clip, _Sums())
        goes_on = self._last is not None and self._last[0] == clip and index >= self._last[1]
        self._last = clip, index
        sums.presentations += not goes_on
        sums.frames += 1
        sums.frame_r.add(score.frame_r)
        sums.ssim.add(score.ssim)
        self._add_block(sums, score)

    def _add_block(self, sums: _Sums, score: FrameScore) -> None:
        block = score.frame // self._block_frames
        if block not in sums.blocks:
            if self._n_blocks >= _MOST_BLOCKS:
                block = next(reversed(sums.blocks), block)
            self._n_blocks += 1
        at_zero = score.moments[len(score.moments) // 2]
        sums.blocks[block] = sums.blocks.get(block, np.zeros(6)) + at_zero

    def rows(self) -> list[ClipRow]:
        """One row a clip, in the order of first display."""
        rng = np.random.default_rng(0)
        return [_row(clip, sums, rng) for clip, sums in self._clips.items()]


def _row(clip: str, sums: _Sums, rng: np.random.Generator) -> ClipRow:
    blocks = np.stack(list(sums.blocks.values()))
    low = high = float("nan")
    if len(blocks) >= _FEWEST_BLOCKS:
        # how often each block is drawn, instead of the drawn blocks: less memory
        even = np.full(len(blocks), 1 / len(blocks))
        drawn = [rng.multinomial(len(blocks), even) @ blocks for _ in range(_DRAWS)]
        low, high = np.percentile(np.nan_to_num(r_at_shifts(np.stack(drawn))), [2.5, 97.5])
    return ClipRow(
        clip=clip,
        presentations=sums.presentations,
        frames=sums.frames,
        video_r=float(r_at_shifts(blocks.sum(0)[None])[0]),
        low=float(low),
        high=float(high),
        frame_r=sums.frame_r.value,
        ssim=sums.ssim.value,
    )


def cells_of(rows: Sequence[ClipRow]) -> list[list[str]]:
    """The rows as text."""
    return [
        [
            row.clip,
            f"{row.presentations:,}",
            f"{row.frames:,}",
            _number(row.video_r),
            f"{_number(row.low)} to {_number(row.high)}" if np.isfinite(row.low) else "–",
            _number(row.frame_r),
            _number(row.ssim),
        ]
        for row in rows
    ]


HEAD = ("clip", "presentations", "frames", "video r", "95 % interval", "frame r", "SSIM")


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def as_plain(rows: Sequence[ClipRow]) -> Mapping[str, float | None]:
    """video_r by clip; None where it could not be computed."""
    return {row.clip: row.video_r if np.isfinite(row.video_r) else None for row in rows}
