"""The closed-loop section of a session's report: figures, a table, and `actions.csv`."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtdecode.report import html
from rtdecode.report.closed_loop import ActionRow, LoopRecord, actions_csv
from rtdecode.report.closed_loop_figures import (
    PolicyPanels,
    cause_and_effect,
    lanes_of,
    latency_histograms,
    signal_over_time,
    timeline,
)
from rtdecode.report.figure_files import ReportFigure, new_figure
from rtdecode.report.policy_panels import policy_view
from rtdecode.report.summary import SessionSummary
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import DisplayedFrame, Received

_KINDS = ("/action", "/acknowledgement", "/delivery", "/observed", f"/{DisplayedFrame.kind}")
Messages = Callable[..., Iterator[Received]]
TABLE = "actions.csv"
_MOST_ROWS = 40
_LANE_INCHES, _AXIS_INCHES, _SIGNAL_INCHES, _PANEL_INCHES = 0.24, 0.75, 1.5, 2.5


def closed_loop_section(
    messages: Messages, summary: SessionSummary, config: RunConfig, folder: Path
) -> tuple[list[ReportFigure], list[str]]:
    """Write the CSV into `folder`; the figures, and the parts of the page that follow them.

    `messages` gives the messages of some kinds in the order of the log.
    """
    record = LoopRecord()
    view = policy_view(config, _displayed(messages))
    kinds = (*_KINDS, *view.kinds)
    for item in messages(*(kind.removeprefix("/") for kind in kinds)):
        record.add(item.message)
        view.add(item.message)
    rows = record.rows()
    panels = view.panels(rows, zero_ns=summary.first_ns)
    csv = actions_csv(rows, zero_ns=summary.first_ns)
    (folder / TABLE).write_text(csv, encoding="utf-8")
    parts = [*map(html.paragraph, panels.sentences), _table(rows, zero_ns=summary.first_ns)]
    return _figures(rows, record, summary, panels), parts


def _displayed(messages: Messages) -> Iterator[DisplayedFrame]:
    for item in messages(DisplayedFrame.kind):
        if isinstance(item.message.body, DisplayedFrame):
            yield item.message.body


def _figures(
    rows: Sequence[ActionRow], record: LoopRecord, summary: SessionSummary, panels: PolicyPanels
) -> list[ReportFigure]:
    return [
        ReportFigure(
            "closed_loop",
            _timeline(rows, record, summary, panels),
            "Actions of the policy over time",
            "Closed loop. Actions of the policy over the session: an orange line leads from what "
            "was observed to the effect (blue).",
        ),
        ReportFigure(
            "closed_loop_timing",
            _panels(_draws(rows, panels)),
            "Causes and effects of the actions, their latencies, and what the policy chose",
            "Timing of the closed loop. Reaction is the time from the middle of the newest scan to "
            "the flip or trigger that reacts, content age that from the middle of the displayed "
            "frame which the reconstruction estimates.",
        ),
    ]


def _timeline(
    rows: Sequence[ActionRow], record: LoopRecord, summary: SessionSummary, panels: PolicyPanels
) -> Figure:
    lanes_inches = _AXIS_INCHES + _LANE_INCHES * (len(lanes_of(rows)) + 2)
    heights = [lanes_inches] if panels.signal is None else [_SIGNAL_INCHES, lanes_inches]
    figure = new_figure(height=sum(heights))
    *first, lanes = figure.subplots(
        len(heights), 1, height_ratios=heights, sharex=True, squeeze=False
    ).ravel()
    timeline(lanes, rows, record, zero_ns=summary.first_ns, length_s=summary.seconds)
    if panels.signal is not None:
        signal_over_time(first[0], panels.signal, rows, zero_ns=summary.first_ns)
    return figure


def _panels(draws: Sequence[Callable[[Axes], None]]) -> Figure:
    """The panels in rows of two."""
    across = min(2, len(draws))
    down = math.ceil(len(draws) / across)
    figure = new_figure(height=_PANEL_INCHES * down)
    places = figure.subplots(down, across, squeeze=False).ravel()
    for axes, draw in zip(places, draws, strict=False):
        draw(axes)
    for axes in places[len(draws) :]:
        axes.set_axis_off()
    return figure


def _draws(rows: Sequence[ActionRow], panels: PolicyPanels) -> list[Callable[[Axes], None]]:
    """The panels below: those of latency that have data, and that of the policy."""
    timed = any(row.latencies_ms for row in rows)
    waited = any(row.after_due_ms is not None for row in rows)
    draws: list[Callable[[Axes], None]] = []
    if timed or panels.draw is None:
        draws.append(lambda axes: cause_and_effect(axes, rows))
    if timed or waited or panels.draw is None:
        draws.append(lambda axes: latency_histograms(axes, rows))
    return draws if panels.draw is None else [*draws, panels.draw]


def _table(rows: Sequence[ActionRow], *, zero_ns: int) -> str:
    """HTML table of the first actions; all are in `actions.csv`."""
    lines = [_line(row, zero_ns=zero_ns) for row in rows[:_MOST_ROWS]]
    head = ["action", "cause", "decided, s", "result", "effect, s"]
    head += ["reaction, ms", "content age, ms", "reason"]
    title = f"Actions (all {len(rows):,} in {TABLE})"
    if len(rows) > _MOST_ROWS:
        title = f"The first {_MOST_ROWS} of {len(rows):,} actions (all in {TABLE})"
    return html.table(title, head=head, rows=lines)


def _line(row: ActionRow, *, zero_ns: int) -> list[str]:
    one, spans = row.action, row.latencies_ms
    frame = f" {one.cause_frame}" if one.cause_frame >= 0 else ""
    effect_s = "" if row.effect is None else f"{(row.effect.t_ns - zero_ns) / 1e9:.3f}"
    latencies = [f"{spans[n]:.0f}" if n in spans else "" for n in ("reaction_ms", "content_age_ms")]
    why = f"{one.reason} ({row.text})" if row.text else one.reason
    return [
        f"{one.number} {one.name} {one.target}",
        f"{one.cause}{frame}",
        f"{(one.t_decided_ns - zero_ns) / 1e9:.3f}",
        *(row.result, effect_s, *latencies, why),
    ]
