"""Sessions recorded by rtdecode, as trials for training and scoring.

Ground truth is the displayed frame logged at the flip; activity is the output of the live calcium
chain, NaN in frames in which a neuron was not measured. `rtdecode.datasets.segments` defines how a
run is divided into trials and how tiers are assigned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.aligned_streams import AlignedStreams, read_aligned_streams
from rtdecode.datasets.segments import segments_of, tiers_of_segments
from rtdecode.datasets.video_session import F32, Causality, Segment, Traces, numbers_of
from rtdecode.schema.errors import MissingFileError
from rtdecode.session.layout import SessionLayout, session_at


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    tier: str
    video: NDArray[np.uint8]
    responses: F32
    behaviour: F32


class OwnSession:
    """All trials of a session folder with `log.mcap`, held in memory.

    Parameters
    ----------
    path
        The folder, or its log. The log of a recorder that was killed is read up to its last
        complete chunk.

    Raises
    ------
    MissingFileError
        If there is no log.
    StreamMissingError, NeuronsChangedError, UnreadableFileError
        If the file is not a log, or lacks displayed frames or responses on the frame grid of the
        session's config.
    TooFewClipsError
        If fewer than three different clips were shown while neurons were measured.
    """

    def __init__(self, path: Path) -> None:
        session = session_at(path)
        self.folder = session.folder
        streams = read_aligned_streams(session)
        self.rows_px, self.cols_px = streams.screen_px
        self.causality = Causality(streams.causality)
        self.neurons, self.rois_hash = streams.neurons, streams.rois_hash
        self.frame_rate_hz = streams.grid.rate_hz
        self._trials = list(_trials(streams))

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that have a trial, in alphabetical order."""
        return tuple(sorted({trial.tier for trial in self._trials}))

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        tiers = {number: trial.tier for number, trial in enumerate(self._trials)}
        return numbers_of(tier, tiers, folder=self.folder)

    def frames(self, number: int) -> int:
        """Number of frames of a trial."""
        return len(self._trials[number].video)

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial, starting at `first`; by default all remaining ones."""
        trial = self._trials[number]
        part = slice(first, None if frames is None else first + frames)
        return Segment(
            video=trial.video[part].astype(np.float32),
            responses=trial.responses[part].copy(),
            behaviour=trial.behaviour[part].copy(),
        )

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        return self._trials[number].video.astype(np.float32)

    def traces(self, number: int) -> Traces:
        """Raise MissingFileError: the log holds causal responses, but no dF/F."""
        raise MissingFileError(
            what=f"raw traces of trial {number}",
            path=self.folder / "data" / "traces",
            remedy="use --input responses: in a session of rtdecode they are causal already",
        )


def is_own_session(path: Path) -> bool:
    """Whether `path` is the folder of an rtdecode session, or its log."""
    return path.suffix == ".mcap" or SessionLayout(path).has_log


def _trials(streams: AlignedStreams) -> Iterator[_Trial]:
    segments = segments_of(streams.displayed, measured=streams.is_measured)
    tiers = tiers_of_segments(
        segments, lambda segment: streams.video(segment.frames), source=streams.log
    )
    for place in sorted(tiers):
        frames = segments[place].frames
        yield _Trial(
            tiers[place],
            streams.video(frames),
            streams.activity(frames),
            streams.behaviour(frames),
        )
