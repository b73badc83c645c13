"""Panels of the closed loop, each drawn into given axes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rtdecode.evaluate.metrics import Interval
from rtdecode.report.closed_loop import (
    ActionRow,
    LoopRecord,
    Presentation,
    has_failed,
    is_withheld,
)
from rtdecode.report.figures import BLUE, FAINT, INK, ORANGE, SOFT, Times, empty, quiet

_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_FAILED = "#b3261e"
_MOST_LANES = 12
_MOST_ALIGNED = 300
_MOST_LABELS = 24
_MOST_BINS = 40
_ON_SCREEN = "on the screen"


@dataclass(frozen=True, slots=True)
class Signal:
    """What the policy compared with its thresholds."""

    name: str
    """With its unit."""
    t_s: Times
    """(sample,) middle of the reconstructed frame, else the time of the message."""
    values: NDArray[np.float64]
    thresholds: Sequence[tuple[str, float]] = ()
    """Label and value of each threshold."""


@dataclass(frozen=True, slots=True)
class PolicyPanels:
    """What the report shows of one kind of policy beside its actions."""

    signal: Signal | None = None
    draw: Callable[[Axes], None] | None = None
    """Draws a panel of the policy."""
    sentences: Sequence[str] = field(default_factory=tuple)


def lane_of(row: ActionRow) -> str:
    """Lane of an action in the timeline."""
    return f"{row.action.name} {short(row.action.target)}".strip()


def lanes_of(rows: Sequence[ActionRow]) -> list[str]:
    """Lanes in the order of their first action; beyond twelve, one for each kind of action."""
    lanes = list(dict.fromkeys(lane_of(row) for row in rows))
    if len(lanes) <= _MOST_LANES:
        return lanes
    return list(dict.fromkeys(row.action.name for row in rows))


def timeline(
    axes: Axes,
    rows: Sequence[ActionRow],
    record: LoopRecord,
    *,
    zero_ns: int,
    length_s: float,
) -> None:
    """Draw when the controller was armed, the screen, and each action from cause to effect.

    Parameters
    ----------
    zero_ns, length_s
        Start of the session, and its length in s.
    """
    lanes = lanes_of(rows)
    places = {lane: len(lanes) - n for n, lane in enumerate(lanes)}
    _draw_presentations(axes, record.presentations, place=len(lanes) + 1, zero_ns=zero_ns)
    for span_ns in record.armed_ns:
        begin_s, end_s = ((t_ns - zero_ns) / _NS_PER_S for t_ns in span_ns)
        axes.barh(len(lanes) + 2, end_s - begin_s, left=begin_s, height=0.25, color=ORANGE)
    for row in rows:
        lane = lane_of(row)
        _draw_action(axes, row, place=places.get(lane) or places[row.action.name], zero_ns=zero_ns)
    axes.set_yticks(range(1, len(lanes) + 3), [*lanes[::-1], _ON_SCREEN, "armed"], parse_math=False)
    axes.set_ylim(0.4, len(lanes) + 2.6)
    axes.set_xlim(0, max(length_s, 1e-3))
    axes.set_xlabel("time in the session, s", color=SOFT)
    axes.set_title("actions of the policy", loc="left", fontsize=12, color=INK)
    marks = (("effect", BLUE, "o"), ("withheld", SOFT, "x"), ("refused or failed", _FAILED, "X"))
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label, markersize=6)
        for label, colour, marker in marks
    ]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=9,
        frameon=False, labelcolor=SOFT, borderaxespad=0.2,
    )  # fmt: skip
    quiet(axes)


def _draw_presentations(
    axes: Axes, presentations: Sequence[Presentation], *, place: int, zero_ns: int
) -> None:
    labelled = len(presentations) <= _MOST_LABELS
    for number, one in enumerate(presentations):
        start_s, end_s = ((t - zero_ns) / _NS_PER_S for t in (one.t_start_ns, one.t_end_ns))
        colour = ("#c9d8e4", "#e4eaef")[number % 2]
        axes.barh(place, end_s - start_s, left=start_s, height=0.6, color=colour)
        if labelled:
            axes.text(
                start_s, place, f" {short(one.clip)}", fontsize=7, color=SOFT, va="center",
                clip_on=True, parse_math=False,
            )  # fmt: skip


def _draw_action(axes: Axes, row: ActionRow, *, place: int, zero_ns: int) -> None:
    cause_s = (row.action.t_cause_ns - zero_ns) / _NS_PER_S
    decided_s = (row.action.t_decided_ns - zero_ns) / _NS_PER_S
    if row.effect is not None:
        effect_s = (row.effect.t_ns - zero_ns) / _NS_PER_S
        axes.plot([cause_s, effect_s], [place, place], color=ORANGE, linewidth=1.5)
        axes.plot(effect_s, place, "o", color=BLUE, markersize=5)
    elif has_failed(row):
        axes.plot(decided_s, place, "X", color=_FAILED, markersize=6)
    else:
        axes.plot(decided_s, place, "x", color=SOFT, markersize=4)


def signal_over_time(
    axes: Axes, signal: Signal, rows: Sequence[ActionRow], *, zero_ns: int
) -> None:
    """Draw the signal of the policy, its thresholds, and the values that led to its decisions."""
    axes.plot(signal.t_s, signal.values, color=BLUE, linewidth=1.2)
    for label, value in signal.thresholds:
        axes.axhline(value, color=ORANGE, linewidth=1.2, linestyle="--")
        axes.text(
            1.0, value, f"{label} {value:g} ", transform=axes.get_yaxis_transform(), ha="right",
            va="bottom", fontsize=9, color=ORANGE,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip
    for row in rows if len(signal.t_s) else ():
        cause_s = (row.action.t_cause_ns - zero_ns) / _NS_PER_S
        withheld = is_withheld(row)
        axes.plot(
            cause_s, np.interp(cause_s, signal.t_s, signal.values), "v", markersize=7,
            color=SOFT if withheld else INK, fillstyle="none" if withheld else "full",
        )  # fmt: skip
    axes.set_ylabel(signal.name, color=SOFT)
    axes.set_title(
        "signal of the policy (triangles: decisions; hollow: withheld)", loc="left", fontsize=12,
        color=INK,
    )  # fmt: skip
    quiet(axes)


def cause_and_effect(axes: Axes, rows: Sequence[ActionRow]) -> None:
    """Draw the times of each action's cause and decision before its effect, one row an action."""
    timed = [row for row in rows if row.latencies_ms][:_MOST_ALIGNED]
    if not timed:
        empty(axes, "No action followed directly from a reconstruction,\nso no loop was timed.")
        return
    points = (
        ("displayed frame", ORANGE, [row.action.t_cause_ns for row in timed]),
        ("newest scan", BLUE, [row.action.t_scan_ns for row in timed]),
        ("decision", SOFT, [row.action.t_decided_ns for row in timed]),
    )
    effects_ns = np.array([row.effect.t_ns for row in timed if row.effect is not None])
    places = np.arange(len(timed))
    earliest = (np.array(points[0][2]) - effects_ns) / _NS_PER_MS
    axes.hlines(places, earliest, 0, color=FAINT, linewidth=1)
    for label, colour, times_ns in points:
        before_ms = (np.array(times_ns) - effects_ns) / _NS_PER_MS
        known = np.array(times_ns) > 0
        axes.plot(before_ms[known], places[known], ".", color=colour, markersize=5, label=label)
    effect = "trigger" if all(row.effect and row.effect.is_trigger for row in timed) else "flip"
    axes.plot(np.zeros(len(timed)), places, "|", color=INK, markersize=5, label=effect)
    axes.set_ylim(len(timed) - 0.5, -0.5)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"time before the {effect} that reacts, ms", color=SOFT)
    axes.set_ylabel("action", color=SOFT)
    axes.set_title("from cause to effect", loc="left", fontsize=12, color=INK)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize=9, frameon=False,
        labelcolor=SOFT, borderaxespad=0.2, handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip
    quiet(axes)


def latency_histograms(axes: Axes, rows: Sequence[ActionRow]) -> None:
    """Draw the distributions of reaction and content age; else, of flips after their due time."""
    named = (("reaction", BLUE, "reaction_ms"), ("content age", ORANGE, "content_age_ms"))
    found = [
        (label, colour, [row.latencies_ms[key] for row in rows if key in row.latencies_ms])
        for label, colour, key in named
    ]
    found = [one for one in found if one[2]]
    title = "reaction and content age"
    if not found:
        after_due = [ms for row in rows if (ms := row.after_due_ms) is not None]
        found = [("flip after due time", BLUE, after_due)] if after_due else []
        title = "flips after the time for which they were meant"
    if not found:
        empty(axes, "No latency was measured.")
        return
    everything = np.concatenate([values for _, _, values in found])
    count = min(_MOST_BINS, max(8, everything.size // 3))
    bins = np.histogram_bin_edges(everything, bins=count).tolist()
    for label, colour, values in found:
        p50, p99 = np.percentile(values, [50, 99])
        text = f"{label}: median {p50:.0f} ms, 99 % {p99:.0f} ms"
        axes.hist(values, bins=bins, color=colour, alpha=0.75, label=text)
        axes.axvline(p50, color=colour, linewidth=1.2, linestyle=":")
    axes.set_xlabel("ms", color=SOFT)
    axes.set_ylabel("actions", color=SOFT)
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    axes.margins(y=0.25)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=9, frameon=False, labelcolor=SOFT, loc="upper left")
    quiet(axes)


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
    axes.set_title(
        "score by clip, the hardest on top (times chosen)", loc="left", fontsize=12, color=INK
    )
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
    axes.set_title("score of each presentation", loc="left", fontsize=12, color=INK)
    axes.legend(fontsize=9, frameon=False, labelcolor=SOFT)
    quiet(axes)


def similarities(axes: Axes, found: Sequence[tuple[str, Interval]], *, title: str) -> None:
    """Draw means with their bootstrap 95 % intervals, the first one on top."""
    places = np.arange(len(found))[::-1]
    for place, (_, one) in zip(places, found, strict=True):
        axes.plot([one.low, one.high], [place, place], color=BLUE, linewidth=3)
        axes.plot(one.mean, place, "o", color=INK, markersize=7)
        axes.annotate(
            f"{one.mean:.3f}", (one.mean, place), xytext=(0, 8), textcoords="offset points",
            ha="center", fontsize=9, color=INK,
        )  # fmt: skip
    axes.axvline(0, color=SOFT, linewidth=1, linestyle="--")
    axes.set_yticks(places, [label for label, _ in found])
    axes.set_ylim(-0.6, len(found) - 0.2)
    axes.set_xlabel("similarity of responses (Pearson r), mean and 95 % interval", color=SOFT)
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    quiet(axes)


def short(clip: str) -> str:
    """The last part of a clip's name, without folders and suffix."""
    return clip.rsplit("/", 1)[-1].removesuffix(".mp4")
