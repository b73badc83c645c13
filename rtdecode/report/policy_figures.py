"""Panels of single policies: scores by clip and over time, similarity of responses."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from rtdecode.evaluate.metrics import Interval
from rtdecode.report.closed_loop_figures import short
from rtdecode.report.figures import BLUE, INK, ORANGE, SOFT, empty, quiet


def score_by_clip(
    axes: Axes, scores: Mapping[str, Sequence[float]], chosen: Mapping[str, int]
) -> None:
    """Draw the score of each presentation by clip, and how often the policy chose the clip."""
    means = {clip: float(np.mean(values)) for clip, values in scores.items() if values}
    if not means:
        empty(axes, "No presentation was scored.")
        return
    clips = sorted(means, key=means.__getitem__, reverse=True)
    for place, clip in enumerate(clips):
        values = scores[clip]
        axes.plot(values, [place] * len(values), ".", color=BLUE, markersize=6, alpha=0.6)
        axes.plot(means[clip], place, "|", color=ORANGE, markersize=14, markeredgewidth=2.5)
    labels = [f"{short(clip)}  ({chosen.get(clip, 0)} ×)" for clip in clips]
    axes.set_yticks(range(len(clips)), labels, parse_math=False)
    axes.set_ylim(-0.6, len(clips) - 0.4)
    axes.set_xlabel("video r of each presentation (dot), mean (bar)", color=SOFT)
    axes.set_title("score by clip, the hardest on top (times chosen)", loc="left", color=INK)
    quiet(axes)


def scores_over_time(
    axes: Axes, t_s: Sequence[float], scores: Sequence[float], *, target: float
) -> None:
    """Draw the score of each presentation at its start, and the target at which it is held."""
    if not t_s:
        empty(axes, "No presentation was scored.")
        return
    axes.plot(t_s, scores, ".-", color=BLUE, markersize=8, linewidth=0.8)
    axes.axhline(target, color=ORANGE, linewidth=1.2, linestyle="--", label=f"target {target:g}")
    axes.set_xlabel("start of the presentation, s", color=SOFT)
    axes.set_ylabel("video r", color=SOFT)
    axes.set_title("score of each presentation", loc="left", color=INK)
    axes.legend(frameon=False, labelcolor=SOFT)
    quiet(axes)


def similarities(axes: Axes, found: Sequence[tuple[str, Interval]], *, title: str) -> None:
    """Draw means with their bootstrap 95 % intervals, the first one on top."""
    places = np.arange(len(found))[::-1]
    for place, (_, one) in zip(places, found, strict=True):
        axes.plot([one.low, one.high], [place, place], color=BLUE, linewidth=3)
        axes.plot(one.mean, place, "o", color=INK, markersize=7)
        axes.annotate(
            f"{one.mean:.3f}", (one.mean, place), xytext=(0, 8), textcoords="offset points",
            ha="center", color=INK,
        )  # fmt: skip
    axes.axvline(0, color=SOFT, linewidth=1, linestyle="--")
    axes.set_yticks(places, [label for label, _ in found])
    axes.set_ylim(-0.6, len(found) - 0.2)
    axes.set_xlabel("Pearson r of the responses, mean and 95 % interval", color=SOFT)
    axes.set_title(title, loc="left", color=INK)
    quiet(axes)
