"""What goes out, and when."""

from rtdecode.emit.pace import Pace

__all__ = ["Pace"]
