"""Simulated sessions of the demo mouse, faster than real time, for `rtdecode bench loop`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from rtdecode.datasets.video_session import TRAIN
from rtdecode.demo.mouse import displayed_frames
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, Received, Scan, Stamped
from stimulus.clips import Split, embedded_clips

_FIRST_FRAME = 300


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSession:
    """Measurements of one session in order of time, and what was displayed."""

    measured: Sequence[Scan | Behaviour]
    video: NDArray[np.uint8]
    """(frame, row, col), from frame `first` of the grid on."""
    first: int
    clip_frames: int


class DataClock:
    """Clock that stands at the time of the newest measurement."""

    def __init__(self) -> None:
        self.t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


def simulated_session(
    source: SimulatedSource, tier: str, *, seed: int, clips: int, clip_s: float, grid: FrameGrid
) -> SimulatedSession:
    """A session of the simulated rig in which `clips` clips follow each other.

    The clips of tier train are of the photographs that the demo mouse's twin was trained on.
    """
    rng = np.random.default_rng([seed, 5])
    half_ns = round(5e8 / grid.rate_hz)
    begin_ns = grid.start_ns(_FIRST_FRAME) - int(rng.integers(half_ns, 5 * half_ns))
    rig = SimulatedMicroscope(source, seed, t_start_ns=begin_ns)
    split = Split.TRAIN if tier == TRAIN else Split.SHOW
    made = embedded_clips(split, count=clips, seconds=clip_s, seed=seed, frame_rate_hz=grid.rate_hz)
    video, measured = list[NDArray[np.uint8]](), list[Scan | Behaviour]()
    shown = displayed_frames(made, rng)
    for frame, (luminance, phase_ns) in enumerate(shown, start=_FIRST_FRAME):
        video.append(luminance)
        rig.show(luminance, grid.start_ns(frame) + phase_ns)
        measured += rig.advance_to(grid.start_ns(frame + 1) - half_ns)
    return SimulatedSession(measured, np.stack(video), _FIRST_FRAME, round(clip_s * grid.rate_hz))


def received(scan: Scan) -> Received:
    """`scan` as the decoder receives it at its end."""
    return Received(Stamped("bridge", scan.number, scan.t_end_ns, "host", scan), scan.t_end_ns)
