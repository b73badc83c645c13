"""What comes in: holes are named, repeats dropped, clocks of other hosts mapped."""

from rtdecode.acquire.gaps import GapWatch

__all__ = ["GapWatch"]
