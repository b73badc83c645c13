"""Writes a recorded session as one NWB file.

Duties: join the parts of the file (metadata, planes, activity, frames, behaviour, trials, events),
write them, fill the large datasets from the log in one pass, and state what the session lacks.
Nothing is invented: what is not known is left out, or "unknown" where NWB requires a text. It must
not compute anything of the data.

    write_nwb(RecordedSession("sessions/2026-11-30_09-00-00"), Path("session.nwb"))
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py

from rtdecode.export.large_arrays import LARGE_KINDS, LargeArrays, fill
from rtdecode.export.nwb_activity import CalciumData, add_calcium
from rtdecode.export.nwb_behaviour import add_behaviour
from rtdecode.export.nwb_events import add_events, add_notes
from rtdecode.export.nwb_frames import FrameData, add_decoded, add_displayed
from rtdecode.export.nwb_library import SparedFile, nwb_library
from rtdecode.export.nwb_metadata import add_scratch, general_part, lacking, start_time
from rtdecode.export.nwb_planes import add_planes
from rtdecode.export.nwb_scores import add_scores
from rtdecode.export.nwb_trials import add_segments, add_trials
from rtdecode.export.session_content import KINDS, SessionContent, read_content
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.notes import later_notes
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.session_file import recorded_wall_clock

_NS_PER_S = 1e9
_CACHE_BYTES = 2**20
"""Of each dataset: whole chunks are written, which need none; pynwb's own is 32 MB."""


def write_nwb(
    session: RecordedSession,
    out: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Write `session` into the file `out`, and give sentences on what the file lacks.

    Memory stays below about 500 MB for an hour: large arrays pass through in blocks.

    Parameters
    ----------
    out
        The file; one that exists is replaced.
    progress
        Called with the number of messages that were read, and of all that will be.

    Raises
    ------
    ExtraMissingError
        If pynwb is not installed (extra `nwb`).
    MissingFileError, UnreadableFileError, NeuronsChangedError
        If the session has no config, or its frames or neurons change within it.
    OSError
        If the disk is full; what is open is closed, and the file is not whole.
    """
    library, counted = nwb_library(), _Counted(session, progress)
    content = read_content(session, progress=counted)
    clock = recorded_wall_clock(session.layout)
    started, lacks = start_time(session, clock)
    file, config = general_part(session, content, started=started), session.config
    lacks += lacking(config.session, config=str(session.layout.config))
    planes, stated = add_planes(file, session, content)
    calcium, unrecorded = add_calcium(file, content, planes, config.calcium)
    lacks += [*stated, *unrecorded, *_short(content)]
    frames = FrameData()
    frames.displayed, stated = add_displayed(file, content, config)
    frames.decoded, frames.uncertainty = add_decoded(file, content, config)
    lacks += [*stated, *add_behaviour(file, content)]
    if frames.decoded is None:
        lacks.append("Nothing was reconstructed.")
    add_trials(file, content)
    add_events(file, content, config.control)
    add_scores(file, content)
    add_notes(file, content, [] if clock is None else _later(session, clock))
    add_scratch(file, session, content)
    with closing(SparedFile(out)) as spared:
        with (
            h5py.File(spared, "w", rdcc_nbytes=_CACHE_BYTES) as opened,
            library.NWBHDF5IO(file=opened, mode="w") as io,
        ):
            io.write(file)
            arrays = _datasets(frames, calcium)
            fill(arrays, content, session, progress=_each(spared.raise_error, counted))
            if arrays.displayed is not None:
                lacks += add_segments(file, content, arrays.displayed.__getitem__)
                io.write(file)
        spared.raise_error()
    return lacks


def _each(*functions: Callable[[], None]) -> Callable[[], None]:
    def call_all() -> None:
        for one in functions:
            one()

    return call_all


def _later(session: RecordedSession, clock: WallClock) -> list[tuple[float, str]]:
    """Notes after the end of the session, with their times in s from its start."""
    return [
        ((clock.t_ns_of(note.utc) - session.zero_ns) / _NS_PER_S, note.text)
        for note in later_notes(session.layout)
    ]


def _short(content: SessionContent) -> list[str]:
    """A sentence where nwbinspector takes the axes of the activity for exchanged."""
    if content.neurons <= len(content.frames):
        return []
    return [
        f"The session has more neurons ({content.neurons:,}) than frames "
        f"({len(content.frames):,}): nwbinspector then takes the axes for exchanged, which they "
        f"are not."
    ]


class _Counted:
    """Counts the messages that are read, and reports them."""

    def __init__(self, session: RecordedSession, progress: Callable[[int, int], None]) -> None:
        kinds = (*KINDS, *LARGE_KINDS)
        counts = session.counts.items()
        self._total = sum(n * kinds.count(stream.partition("/")[2]) for stream, n in counts)
        self._done, self._progress = 0, progress

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _datasets(frames: FrameData, calcium: CalciumData) -> LargeArrays:
    """The datasets of the file that was written."""

    def of(data: Any) -> Any:
        return None if data is None else data.dataset

    return LargeArrays(
        displayed=of(frames.displayed),
        activity=[(part, of(data)) for part, data in calcium.activity],
        raw={plane: of(data) for plane, data in calcium.raw.items()},
        neuropil={plane: of(data) for plane, data in calcium.neuropil.items()},
        decoded=of(frames.decoded),
        uncertainty=of(frames.uncertainty),
    )
