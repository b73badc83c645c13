"""Frame grid: movie frames numbered on the clock of the decoder's host, the same in all stages.

Frame k covers [k T, (k+1) T) nanoseconds of CLOCK_MONOTONIC with T = 1e9 / frame rate. The frame
displayed in the middle of that interval is the ground truth of k. Responses and reconstructions
carry the same k, so aligning them is a comparison of integers.

>>> grid = FrameGrid(rate_hz=30.0)
>>> grid.start_ns(3), grid.middle_ns(3), grid.frame_at(100_000_000)
(100000000, 116666667, 3)
"""

from dataclasses import dataclass

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Frames of `rate_hz` since the origin of the clock."""

    rate_hz: float

    def frame_at(self, t_ns: int) -> int:
        """Number of the frame that covers `t_ns`."""
        # starts are rounded to whole nanoseconds, so the division may be off by one
        near = int(t_ns * self.rate_hz / _NS_PER_S)
        return max(frame for frame in (near - 1, near, near + 1) if self.start_ns(frame) <= t_ns)

    def start_ns(self, frame: int) -> int:
        """Start of `frame`."""
        return round(frame * _NS_PER_S / self.rate_hz)

    def middle_ns(self, frame: int) -> int:
        """Middle of `frame`."""
        return round((frame + 0.5) * _NS_PER_S / self.rate_hz)
