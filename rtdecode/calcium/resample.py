"""Interpolation of activity from scan times to the frame grid, for the calcium stages."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.compiled import compiled
from rtdecode.schema.frame_grid import FrameGrid

_LONGEST_GAP_S = 10.0
"""A longer gap is not filled with invalid frames; the frame number jumps."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanActivity:
    """Final activity of one scan, in twin units."""

    scan: int
    """Number of the scan, lost ones included."""
    t_start_ns: int
    t_end_ns: int
    activity: NDArray[np.float32]
    """(neuron,)"""
    measured: NDArray[np.bool_]
    """(neuron,)"""


class Resampler:
    """Linear interpolation between a neuron's samples, except across a lost scan.

    A neuron in row r of R is sampled at t_start + phase · (t_end - t_start), phase = (r + ½) / R.
    Frame k takes the value at its start, x = a + (t - t_a) / (t_b - t_a) · (b - a) between the
    samples a and b, once every neuron has a sample at or after it. The activity of a scan
    summarises the interval since the preceding scan, so activity on the grid lags spikes by half
    a scan, as in published responses that were interpolated in the same way.
    """

    def __init__(self, phase: NDArray[np.float32], *, frame_rate_hz: float) -> None:
        """Set `phase`, (neuron,): fraction of the scan's duration at which a neuron is sampled."""
        self._phase = phase
        self._grid = FrameGrid(frame_rate_hz)
        self._frame: int | None = None
        self._scans: list[ScanActivity] = []

    def frames(
        self, scan: ScanActivity
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
        """Frames that `scan` completes, in order: number, (neuron,) activity, (neuron,) valid."""
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
        gap_s = (scan.t_start_ns - self._scans[-1].t_start_ns) / 1e9
        return next_frame if gap_s > _LONGEST_GAP_S else self._frame

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
