"""Recorded sessions: folder, log, recorder, reader, recovery and replay."""

from rtdecode.session.recorder import Recorder, RecorderReport

__all__ = ["Recorder", "RecorderReport"]
