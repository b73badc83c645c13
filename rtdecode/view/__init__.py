"""The live web page: displayed frames, decoded frames, score and latency of a running session."""

from rtdecode.view.server import PageServer

__all__ = ["PageServer"]
