"""Several sessions of one mouse as one, for `rtdecode fit twin` with several `--data`.

The neurons are those of the first session, in its order. The same neurons may have other places in
the other sessions: a table of matched ROIs states which. A neuron without a match in a session was
not measured there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.timed_table import read_table
from rtdecode.datasets.video_session import Causality, Segment, Traces, VideoSession
from rtdecode.schema.errors import (
    MissingFileError,
    NoSuchTierError,
    SessionsDifferError,
    UnreadableFileError,
)

F32 = NDArray[np.float32]
Matches = NDArray[np.int64]
"""(neuron,) place in a session of each neuron of the first one; -1 without a match."""

NO_MATCH = -1
_WHAT = "table of matched ROIs"
_REMEDY = (
    "write a text file whose first line names one column for each --data, in the same order, and "
    "whose rows have the places of one neuron, counted from 0; leave a place empty where it was "
    "not found"
)


class JoinedSessions:
    """The trials of several sessions, numbered on from session to session.

    Parameters
    ----------
    sessions
        Sessions of one mouse; the first one's neurons and ROIs are those of the whole.
    matches
        For each session the places of the first one's neurons in it; None: they are the same.

    Raises
    ------
    SessionsDifferError
        If screen, frame rate or causality differ, if a session is given twice, or if the ROIs
        differ and there are no matches.
    """

    def __init__(
        self, sessions: Sequence[VideoSession], matches: Sequence[Matches] | None = None
    ) -> None:
        first = sessions[0]
        for other in sessions[1:]:
            require_common_format(first, other)
            if matches is None:
                _require_same_rois(first, other)
        self._sessions = tuple(sessions)
        self._matches = matches
        self.folder = first.folder.resolve().parent / "+".join(_names(sessions))
        self.neurons, self.rows_px, self.cols_px = first.neurons, first.rows_px, first.cols_px
        self.frame_rate_hz = first.frame_rate_hz
        self.causality: Causality = first.causality
        self.rois_hash: str = getattr(first, "rois_hash", "")
        trials = [_trials_in_all(session) for session in sessions]
        self._starts = np.concatenate([[0], np.cumsum(trials)]).tolist()

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers that have a trial in any session, in alphabetical order."""
        return tuple(sorted({name for each in self._sessions for name in each.tier_names}))

    def trials(self, tier: str) -> tuple[int, ...]:
        """Numbers of the trials of `tier`, ascending; NoSuchTierError if there is none."""
        if tier not in self.tier_names:
            raise NoSuchTierError(folder=self.folder, tier=tier, tiers=self.tier_names)
        return tuple(
            start + number
            for start, session in zip(self._starts[:-1], self._sessions, strict=True)
            if tier in session.tier_names
            for number in session.trials(tier)
        )

    def frames(self, number: int) -> int:
        """Number of frames of a trial."""
        place, own = self._of(number)
        return self._sessions[place].frames(own)

    def segment(self, number: int, *, first: int = 0, frames: int | None = None) -> Segment:
        """`frames` frames of a trial; the activity of a neuron without a match is NaN."""
        place, own = self._of(number)
        cut = self._sessions[place].segment(own, first=first, frames=frames)
        if self._matches is None:
            return cut
        at = self._matches[place]
        found = np.where(at == NO_MATCH, np.float32(np.nan), cut.responses[:, at])
        return Segment(cut.video, found, cut.behaviour)

    def video(self, number: int) -> F32:
        """(frame, row, col) grey levels of a whole trial."""
        place, own = self._of(number)
        return self._sessions[place].video(own)

    def traces(self, number: int) -> Traces:
        """Refused with MissingFileError: calibrations differ between sessions."""
        raise MissingFileError(
            what=f"raw traces of trial {number} of joined sessions",
            path=self.folder,
            remedy="use a single session",
        )

    def _of(self, number: int) -> tuple[int, int]:
        """Place of the session of a trial, and the trial's number in it."""
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        return place, number - self._starts[place]


def read_matches(path: Path, sessions: Sequence[VideoSession]) -> tuple[Matches, ...]:
    """Places of the first session's neurons in each session, from a table of matched ROIs.

    A row has the places of one neuron, counted from 0, in a column for each session in the order of
    `sessions`. Neurons of the first session that no row has are matched in none of the others;
    neurons of the others that no row has are left out.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no such file, or a place is no number, none of the session, or occurs twice.
    """
    columns = list(read_table(path, what=_WHAT, needed=()).items())
    names = [name for name, _ in columns]
    if len(columns) != len(sessions):
        raise _wrong(path, f"{len(sessions)} columns of different names", f"{len(columns)}")
    if all(name.isdigit() for name in names):
        raise _wrong(path, "a first line with names of columns", f"'{','.join(names)}'")
    places = [
        _places(texts, session.neurons, name, path)
        for (name, texts), session in zip(columns, sessions, strict=True)
    ]
    own = places[0]
    if (without := np.flatnonzero(own == NO_MATCH)).size:
        row = int(without[0]) + 2
        raise _wrong(path, "a neuron of the first session in each row", f"none in line {row}")
    matches = [np.full(sessions[0].neurons, NO_MATCH, np.int64) for _ in sessions]
    for at, found in zip(matches, places, strict=True):
        at[own] = found
    matches[0] = np.arange(sessions[0].neurons)
    return tuple(matches)


def _places(texts: Sequence[str], neurons: int, name: str, path: Path) -> Matches:
    places = np.full(len(texts), NO_MATCH, np.int64)
    line_of: dict[int, int] = {}
    for row, text in enumerate(texts):
        if not text:
            continue
        if not text.isdecimal() or int(text) >= neurons:
            expected = f"places from 0 to {neurons - 1} in the column {name}"
            raise _wrong(path, expected, f"'{text:.40}' in line {row + 2}")
        places[row] = int(text)
        if (before := line_of.setdefault(int(text), row + 2)) != row + 2:
            got = f"{text} in the lines {before} and {row + 2}"
            raise _wrong(path, f"each neuron once in the column {name}", got)
    return places


def _wrong(path: Path, expected: str, got: str) -> UnreadableFileError:
    return UnreadableFileError(what=_WHAT, path=path, expected=expected, got=got, remedy=_REMEDY)


def require_common_format(first: VideoSession, other: VideoSession) -> None:
    """Raise SessionsDifferError unless a twin can be trained on both sessions."""
    if first.folder.resolve() == other.folder.resolve():
        raise SessionsDifferError(
            first=first.folder, other=other.folder, what="they are the same session",
            remedy="give each session once",
        )  # fmt: skip
    stated: dict[str, Callable[[VideoSession], object]] = {
        "screen in px": lambda data: (data.rows_px, data.cols_px),
        "frame rate in Hz": lambda data: data.frame_rate_hz,
        "causality of the activity": lambda data: data.causality.value,
    }
    for what, of in stated.items():
        if of(first) != of(other):
            raise SessionsDifferError(
                first=first.folder, other=other.folder,
                what=f"they differ in the {what}: {of(first)} and {of(other)}",
                remedy="fit a twin to each of them",
            )  # fmt: skip


def _require_same_rois(first: VideoSession, other: VideoSession) -> None:
    hashes = {getattr(data, "rois_hash", "") for data in (first, other)} - {""}
    if first.neurons == other.neurons and len(hashes) <= 1:
        return
    what = "their ROIs differ in content"
    if first.neurons != other.neurons:
        what = f"they have {first.neurons} and {other.neurons} neurons"
    raise SessionsDifferError(
        first=first.folder, other=other.folder, what=what,
        remedy="give --match with a table of the neurons that they share, or --population for a "
        "twin of each with shared filters",
    )  # fmt: skip


def _trials_in_all(session: VideoSession) -> int:
    return 1 + max(number for tier in session.tier_names for number in session.trials(tier))


def _names(sessions: Sequence[VideoSession]) -> list[str]:
    return unique_names([session.folder for session in sessions])


def unique_names(folders: Sequence[Path]) -> list[str]:
    """A name for each session: that of its folder, with those of parents where names are alike."""
    resolved = [folder.resolve() for folder in folders]
    parts = [
        (path.with_suffix("") if path.suffix == ".nwb" else path).parts[1:] for path in resolved
    ]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["_".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'_'.join(each[-1:])}_{place}" for place, each in enumerate(parts)]
