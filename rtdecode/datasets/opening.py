"""Which reader a path on the command line wants."""

from pathlib import Path

from rtdecode.datasets.nwb_session import NwbSession, is_nwb
from rtdecode.datasets.own_session import OwnSession, is_own_session
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.stills import StillClips, StillSession, is_still_session
from rtdecode.datasets.video_session import Clips, VideoSession


def open_video_session(path: Path) -> VideoSession:
    """The session with video at `path`: NWB by name, ours where it has a log, else Sensorium's."""
    if is_nwb(path):
        return NwbSession(path)
    return OwnSession(path) if is_own_session(path) else SensoriumFolder(path)


def open_clips(path: Path) -> Clips:
    """The same, or held-out still images one after the other."""
    if holds_stills(path):
        return StillClips(StillSession(path))
    return open_video_session(path)


def holds_stills(path: Path) -> bool:
    """Whether `path` holds images; calibration and masks of a session of ours are none."""
    return not is_own_session(path) and is_still_session(path)
