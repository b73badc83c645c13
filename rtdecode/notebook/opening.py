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


def open_session(path: Place) -> RecordedSession:
    """Open a recorded session; its arrays are read where they are asked for.

    Parameters
    ----------
    path
        The session folder, or its `log.mcap`; complete, damaged, or still being recorded.

    Returns
    -------
    RecordedSession
        The session, with its streams `displayed`, `decoded`, `uncertainty`, `activity`,
        `fluorescence`, `behaviour` and `scores`, its `events`, `trials`, `presentations` and
        `metadata`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no log, or the file is not the log of a session.

    Examples
    --------
    Two seconds of decoded frames:

        session = rtdecode.open_session("sessions/2026-11-30_09-00-00")
        session.decoded.between(10, 12).load().values
    """
    return RecordedSession(path)
