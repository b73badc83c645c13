"""What a fit says of itself: sentences that warn of a result that should not be relied on.

Each sentence states what was found, and what to record or change. The checks need no more than
the numbers that a fit computes anyway.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

FEWEST_CLIPS = 30
"""Training clips below which a fit is warned of. Clips differ in contrast and motion by factors of
three, and a twin that has seen few of them fits those."""

CHANCE_SHIFTS = 20
"""Number of circular shifts in time from which the correlation by chance is estimated."""


def clip_warning(clips: int, *, clip_s: float) -> str | None:
    """A sentence where there are fewer than thirty training clips, of `clip_s` seconds each.

    >>> clip_warning(30, clip_s=10.0)
    >>> print(clip_warning(24, clip_s=10.0))
    the session has 24 training clips, and fewer than 30 are seldom enough: record 6 more (1 min)
    """
    missing = FEWEST_CLIPS - clips
    if missing <= 0:
        return None
    minutes = max(1, math.ceil(missing * clip_s / 60))
    return (
        f"the session has {clips} training clips, and fewer than {FEWEST_CLIPS} are seldom enough: "
        f"record {missing} more ({minutes} min)"
    )


def chance_warning(r: float, by_chance: Sequence[float], *, what: str, remedy: str) -> str | None:
    """A sentence where the correlation `r` is not above all of those `by_chance`.

    With n of these, this happens by chance once in n + 1 fits to unrelated data.

    >>> chance_warning(0.03, [0.01, 0.04], what="the prediction", remedy="check the frame times")
    'the prediction (r 0.030) cannot be told from chance (r up to 0.040): check the frame times'
    """
    known = [one for one in by_chance if np.isfinite(one)]
    if not known or (np.isfinite(r) and r > max(known)):
        return None
    found = f"r {r:.3f}" if np.isfinite(r) else "no r"
    return f"{what} ({found}) cannot be told from chance (r up to {max(known):.3f}): {remedy}"


def edge_warning(chosen: float, tried: Sequence[float], grid: Sequence[float]) -> str | None:
    """A sentence where the penalty that was chosen is the lowest or the highest of the `grid`."""
    if chosen not in (min(grid), max(grid)) or len(tried) == 1:
        return None
    side, meaning = (
        ("highest", "the activity says little about the video: record more, or check frame times")
        if chosen == max(grid)
        else ("lowest", "more neurons or a shorter lag may need an even weaker penalty")
    )
    return f"the penalty that was chosen, {chosen:g}, is the {side} of those tried: {meaning}"


def warnings(*found: str | None) -> Iterator[str]:
    """The sentences among `found`."""
    return (one for one in found if one is not None)
