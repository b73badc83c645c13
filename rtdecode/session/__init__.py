"""What was recorded: the session folder, its log, and how both come back."""

from rtdecode.session.recorder import Recorder, RecorderReport

__all__ = ["Recorder", "RecorderReport"]
