"""The grid of movie frames on HostNs that all stages share without exchanging anything.

Frame k covers [k T, (k+1) T) nanoseconds of CLOCK_MONOTONIC with T = 1e9 / frame rate. What was
on the screen in the middle of that span is the frame's truth; responses and reconstructions
carry the same k, so aligning them is a comparison of integers.
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
        """When `frame` begins."""
        return round(frame * _NS_PER_S / self.rate_hz)

    def middle_ns(self, frame: int) -> int:
        """Middle of `frame`."""
        return round((frame + 0.5) * _NS_PER_S / self.rate_hz)
