"""A session that rtdecode has recorded itself, as trials to train and to score on.

The truth is what was logged at the flip, activity is what the live calcium chain said at the time,
and a neuron that was not measured in a frame is NaN there. How the run is cut into trials, and
which tier each is of, is told in `fit.datasets.segments`.
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
    """All trials of a session folder with its `log.mcap`, in memory.

    Parameters
    ----------
    path
        The folder, or its log. A log whose recorder was killed is read as far as it goes.

    Raises
    ------
    MissingFileError
        If there is no log.
    StreamMissingError, NeuronsChangedError, UnreadableFileError
        If the log is none, or does not hold what a twin can be trained on.
    TooFewClipsError
        If fewer than three different clips were shown while neurons were measured.
    """

    causality = Causality.CAUSAL

    def __init__(self, path: Path) -> None:
        session = session_at(path)
        self.folder = session.folder
        streams = read_aligned_streams(session)
        self.rows_px, self.cols_px = streams.screen_px
        self.neurons = streams.neurons
        self._trials = list(_trials(streams))

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`; raises NoSuchTierError where there is none."""
        tiers = {number: trial.tier for number, trial in enumerate(self._trials)}
        return numbers_of(tier, tiers, folder=self.folder)

    def frames(self, number: int) -> int:
        """Frames of a trial."""
        return len(self._trials[number].video)

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial from `first` on; all that follow by default."""
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
        """Raise MissingFileError: responses are strictly causal here, dF/F is not recorded."""
        raise MissingFileError(
            what=f"raw traces of trial {number}",
            path=self.folder / "data" / "traces",
            remedy="use --input responses, which a session of ours has from the live chain",
        )


def is_own_session(path: Path) -> bool:
    """Whether `path` is the folder of a session of ours, or its log."""
    return path.suffix == ".mcap" or SessionLayout(path).log.is_file()


def _trials(streams: AlignedStreams) -> Iterator[_Trial]:
    segments = segments_of(streams.shown, measured=streams.is_measured)
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
