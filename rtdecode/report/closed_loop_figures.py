"""Panels of the closed loop, each drawn into given axes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rtdecode.evaluate.latency import Latencies
from rtdecode.report.closed_loop import (
    ActionRow,
    LoopRecord,
    has_failed,
    is_withheld,
)
from rtdecode.report.figures import BLUE, FAINT, INK, ORANGE, SOFT, Times, elided, empty, quiet

_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_FAILED = "#b3261e"
_MOST_LANES = 12
_MOST_ALIGNED = 300
_MOST_NUMBERS = 12
"""Numbers of actions that are readable beside each other on an axis."""
_LETTERS, _FEWEST_LETTERS, _LANE_LETTERS = 64, 5, 30
"""Letters of a label that fit into the width of the timeline, and fewest that are drawn."""
_MOST_BINS = 40
_WHOLE_MS = 10
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
    length_s = max(length_s, 1e-3)
    for number, one in enumerate(record.presentations):
        start_s, end_s = ((t - zero_ns) / _NS_PER_S for t in (one.t_start_ns, one.t_end_ns))
        place, colour = len(lanes) + 1, ("#c9d8e4", "#e4eaef")[number % 2]
        axes.barh(place, end_s - start_s, left=start_s, height=0.6, color=colour)
        axes.text(
            start_s, place, _cut(f" {short(one.clip)}", (end_s - start_s) / length_s),
            fontsize=7, color=SOFT, va="center", clip_on=True, parse_math=False,
        )  # fmt: skip
    for span_ns in record.armed_ns:
        begin_s, end_s = ((t_ns - zero_ns) / _NS_PER_S for t_ns in span_ns)
        axes.barh(len(lanes) + 2, end_s - begin_s, left=begin_s, height=0.25, color=ORANGE)
    for row in rows:
        lane = lane_of(row)
        _draw_action(axes, row, place=places.get(lane) or places[row.action.name], zero_ns=zero_ns)
    names = [*(elided(lane, _LANE_LETTERS) for lane in lanes[::-1]), _ON_SCREEN, "armed"]
    axes.set_yticks(range(1, len(lanes) + 3), names, parse_math=False)
    axes.set_ylim(0.4, len(lanes) + 2.6)
    axes.set_xlim(0, length_s)
    axes.set_xlabel("time in the session, s", color=SOFT)
    marks = (
        ("effect", BLUE, "o"),
        ("withheld", SOFT, "x"),
        ("refused, failed, withdrawn", _FAILED, "X"),
    )
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label, markersize=6)
        for label, colour, marker in marks
    ]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 1.01), ncols=3,
        frameon=False, labelcolor=SOFT, borderaxespad=0.2,
    )  # fmt: skip
    quiet(axes)


def _cut(label: str, part: float) -> str:
    """As much of `label` as fits into a part of the width; empty for fewer than nine letters."""
    letters = int(part * _LETTERS)
    if len(label) <= letters:
        return label
    return f"{label[: letters - 1]}…" if letters >= _FEWEST_LETTERS else ""


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
            va="bottom", color=ORANGE,
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
        "signal of the policy (triangles: decisions; hollow: withheld)", loc="left",
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
    kinds = {row.effect.is_trigger for row in timed if row.effect is not None}
    effect = "flip or trigger" if len(kinds) > 1 else "trigger" if True in kinds else "flip"
    axes.plot(np.zeros(len(timed)), places, "|", color=INK, markersize=5, label=effect)
    axes.set_ylim(len(timed) - 0.5, -0.5)
    every = math.ceil(len(timed) / _MOST_NUMBERS)
    axes.set_yticks(places[::every], [str(row.action.number) for row in timed[::every]])
    axes.set_xlabel(f"time before the {effect} that reacts, ms", color=SOFT)
    axes.set_ylabel("action", color=SOFT)
    axes.set_title("from cause to effect", loc="left", color=INK)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, frameon=False,
        labelcolor=SOFT, handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip
    quiet(axes)


def latency_histograms(axes: Axes, rows: Sequence[ActionRow]) -> None:
    """Draw the distributions of reaction and content age; else, of flips after their due time.

    Those of triggers are drawn where no flip reacted to a reconstruction.
    """
    flips = [row for row in rows if row.effect is not None and not row.effect.is_trigger]
    timed = [row for row in flips if row.latencies_ms] or rows
    found, title = _latencies_of(timed), "reaction and content age"
    if not found:
        after_due = [ms for row in rows if (ms := row.after_due_ms) is not None]
        found, title = (
            {"flip after due time": after_due},
            "flips after their due time",
        )
    everything = [ms for values in found.values() for ms in values]
    if not everything:
        empty(axes, "No latency was measured.")
        return
    count = min(_MOST_BINS, max(8, len(everything) // 3))
    bins = np.histogram_bin_edges(everything, bins=count).tolist()
    for colour, (label, values) in zip((BLUE, ORANGE), found.items(), strict=False):
        p50, p99 = _quantiles(values)
        text = f"{label}: median {_ms(p50)} ms, 99th percentile {_ms(p99)} ms"
        axes.hist(values, bins=bins, color=colour, alpha=0.75, label=text)
        axes.axvline(p50, color=colour, linewidth=1.2, linestyle=":")
    axes.set_xlabel("ms", color=SOFT)
    axes.set_ylabel("actions", color=SOFT)
    axes.set_title(title, loc="left", color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False,
        labelcolor=SOFT,
    )  # fmt: skip
    quiet(axes)


def _latencies_of(rows: Sequence[ActionRow]) -> dict[str, list[float]]:
    """Reaction and content age in ms by their names, where they are known."""
    named = {"reaction": "reaction_ms", "content age": "content_age_ms"}
    found = {
        label: [row.latencies_ms[key] for row in rows if key in row.latencies_ms]
        for label, key in named.items()
    }
    return {label: values for label, values in found.items() if values}


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, as the summary has them; of negative values those of numpy."""
    if min(values) < 0:
        p50, p99 = np.percentile(values, [50, 99])
        return float(p50), float(p99)
    latencies = Latencies()
    for value in values:
        latencies.add({"": value})
    one = latencies.summary()[""]
    return one.p50, one.p99


def _ms(value: float) -> str:
    """A time in ms, rounded to whole ones from 10 ms on, else to hundredths."""
    return f"{value:.0f}" if abs(value) >= _WHOLE_MS else f"{value:z.2f}"


def short(clip: str) -> str:
    """The name of a clip without the suffix of its file."""
    return clip.removesuffix(".mp4")
