"""Selection of the reader for a session path, for the commands that take `--data`."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.datasets.joined_sessions import JoinedSessions, read_matches
from rtdecode.datasets.nwb_session import NwbSession, is_nwb
from rtdecode.datasets.own_session import OwnSession, is_own_session
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.stills import StillClips, StillSession, is_still_session
from rtdecode.datasets.video_session import Clips, VideoSession


def open_video_session(path: Path) -> VideoSession:
    """The session with video at `path`.

    A file named `.nwb` is read as NWB, a folder with `log.mcap` as a session of rtdecode, and any
    other folder as Sensorium 2023. Errors are those of the reader.
    """
    if is_nwb(path):
        return NwbSession(path)
    return OwnSession(path) if is_own_session(path) else SensoriumFolder(path)


def open_sessions(paths: Sequence[Path], *, match: Path | None = None) -> VideoSession:
    """The session at the only path, or several sessions of one mouse joined to one.

    `match` is a table of matched ROIs, as `read_matches` reads it; without it all sessions must
    have the same ROIs. Errors are those of the readers and of `JoinedSessions`.
    """
    sessions = [open_video_session(path) for path in paths]
    matches = None if match is None else read_matches(match, sessions)
    return sessions[0] if len(sessions) == 1 else JoinedSessions(sessions, matches)


def open_clips(path: Path) -> Clips:
    """As `open_video_session`; held-out still images are presented as clips."""
    if holds_stills(path):
        return StillClips(StillSession(path))
    return open_video_session(path)


def holds_stills(path: Path) -> bool:
    """Whether `path` is a session with still images.

    The `.npz` files of an rtdecode session (calibration, ROIs) do not count as images.
    """
    return not is_own_session(path) and is_still_session(path)
