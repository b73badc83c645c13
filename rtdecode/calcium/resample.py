"""Activity of scans on the frame grid, each neuron at its own moment in the scan."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled
from rtdecode.schema.frame_grid import FrameGrid

_LONGEST_HOLE_S = 10.0
"""A longer stop is not filled with invalid frames; the frame number jumps."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanActivity:
    """Final activity of one scan."""

    scan: int
    """Counts scans, lost ones too."""
    t_start_ns: int
    t_end_ns: int
    activity: NDArray[np.float32]
    """(neuron,)"""
    measured: NDArray[np.bool_]
    """(neuron,)"""


class Resampler:
    """Linear interpolation between a neuron's samples, never across a lost one.

    Frame k gets its value at its start, as soon as every neuron has been seen at or after it.
    A scan's activity stands at the moment at which the scan saw the neuron. It gathers what the
    neuron did since the scan before, so on the grid activity trails spikes by half a scan, as in
    published responses that were interpolated the same way; a twin fitted to either knows it.
    """

    def __init__(self, phase: NDArray[np.float32], *, frame_rate_hz: float) -> None:
        """Take `phase`, (neuron,): a neuron's place in the scan, 0 at its start, 1 at its end."""
        self._phase = phase
        self._grid = FrameGrid(frame_rate_hz)
        self._frame: int | None = None
        self._scans: list[ScanActivity] = []

    def frames(
        self, scan: ScanActivity
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
        """Frames that `scan` completes: number, (neuron,) activity, (neuron,) valid."""
        frame = self._first_frame(scan)
        self._scans = [*self._scans[-2:], scan]
        while self._grid.start_ns(frame) <= scan.t_start_ns:
            yield (frame, *self._at(self._grid.start_ns(frame)))
            frame += 1
        self._frame = frame

    def _first_frame(self, scan: ScanActivity) -> int:
        next_frame = self._grid.frame_at(scan.t_start_ns) + 1
        if self._frame is None or not self._scans:
            return next_frame
        hole_s = (scan.t_start_ns - self._scans[-1].t_start_ns) / 1e9
        return next_frame if hole_s > _LONGEST_HOLE_S else self._frame

    def _at(self, t_ns: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        activity = np.zeros(len(self._phase), np.float32)
        valid = np.zeros(len(self._phase), bool)
        for before, after in zip(self._scans, self._scans[1:], strict=False):
            if after.scan == before.scan + 1:
                _between(
                    np.array(
                        [t - t_ns for t in (before.t_start_ns, before.t_end_ns)]
                        + [t - t_ns for t in (after.t_start_ns, after.t_end_ns)],
                        np.float64,
                    ),
                    self._phase,
                    before.activity,
                    before.measured,
                    after.activity,
                    after.measured,
                    activity,
                    valid,
                )
        return activity, valid


@compiled
def _between(  # noqa: PLR0917 - compiled loops take no keywords
    edges_ns: NDArray[np.float64],
    phase: NDArray[np.float32],
    before: NDArray[np.float32],
    before_measured: NDArray[np.bool_],
    after: NDArray[np.float32],
    after_measured: NDArray[np.bool_],
    activity: NDArray[np.float32],
    valid: NDArray[np.bool_],
) -> None:
    for i in range(len(phase)):
        first = edges_ns[0] + phase[i] * (edges_ns[1] - edges_ns[0])
        last = edges_ns[2] + phase[i] * (edges_ns[3] - edges_ns[2])
        if first <= 0 <= last and before_measured[i] and after_measured[i]:
            part = 0.0 if last <= first else -first / (last - first)
            activity[i] = before[i] + np.float32(part) * (after[i] - before[i])
            valid[i] = True
