"""Scores reconstructions against what was really shown."""

from rtdecode.evaluate.online import OnlineScore

__all__ = ["OnlineScore"]
