"""The web page: what is shown, what is decoded, and how well, while it happens."""

from rtdecode.view.server import PageServer

__all__ = ["PageServer"]
