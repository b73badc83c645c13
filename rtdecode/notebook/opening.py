"""Opens a recorded session in a notebook."""

from os import PathLike
from pathlib import Path

from rtdecode.session.recorded import RecordedSession

Place = str | PathLike[str]
Data = Place | RecordedSession


def path_of(given: Place) -> Path:
    """`given` as a path, with the home folder in place of `~`."""
    return Path(given).expanduser()


def folder_of(data: Data) -> Path:
    """Path of recorded data, which may be an opened session."""
    return data.folder if isinstance(data, RecordedSession) else path_of(data)


def open_session(path: Place, *, checked: bool = False) -> RecordedSession:
    """Open a recorded session; its arrays are read where they are asked for.

    Parameters
    ----------
    path
        The session folder, or its `log.mcap`; complete, damaged, or still being recorded.
    checked
        Read the whole log first and compare it with its checksums, which takes about a second for
        each GB: what is damaged is then left out, and stated by `session.damage`. Otherwise only
        what is asked for is read, without checksums, and a damaged value is read as it is;
        `session.check()` gives the damage at any later time.

    Returns
    -------
    RecordedSession
        The session, with its streams `displayed`, `decoded`, `uncertainty`, `activity`,
        `fluorescence`, `behaviour` and `scores`, its `events`, `trials`, `presentations` and
        `metadata`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no log, or the file is not the log of a session. Later, at a message that is
        damaged so that it is not valid any more.

    Examples
    --------
    Two seconds of decoded frames:

        session = rtdecode.open_session("sessions/2026-11-30_09-00-00")
        session.decoded.between(10, 12).load().values
    """
    return RecordedSession(path, checked=checked)
