"""The closed-loop section of a session's report: a picture, a table, and `actions.csv`."""

import io
from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes

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
from rtdecode.report.figures import new_figure
from rtdecode.report.policy_panels import policy_view
from rtdecode.report.summary import SessionSummary
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import DisplayedFrame
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_DISPLAYED = "/displayed_frame"
_KINDS = ("/action", "/acknowledgement", "/delivery", "/observed", _DISPLAYED)
PICTURE, TABLE = "closed_loop.png", "actions.csv"
_DPI = 130
_MOST_ROWS = 40
_LANE_INCHES, _AXIS_INCHES, _SIGNAL_INCHES, _BELOW_INCHES = 0.34, 1.1, 2.4, 3.6


def closed_loop_parts(
    session: SessionLayout, summary: SessionSummary, config: RunConfig
) -> list[str]:
    """Write picture and CSV into the report folder of `session`; parts of its HTML page."""
    record = LoopRecord()
    view = policy_view(config, _displayed(session))
    kinds = (*_KINDS, *view.kinds)
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(kinds)):
        record.add(item.message)
        view.add(item.message)
    return _written(session, summary, record, view.panels(record.rows(), zero_ns=summary.first_ns))


def _displayed(session: SessionLayout) -> Iterator[DisplayedFrame]:
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(_DISPLAYED)):
        if isinstance(item.message.body, DisplayedFrame):
            yield item.message.body


def _written(
    session: SessionLayout, summary: SessionSummary, record: LoopRecord, panels: PolicyPanels
) -> list[str]:
    rows = record.rows()
    png = _png(rows, record, summary, panels)
    (session.report / PICTURE).write_bytes(png)
    csv = actions_csv(rows, zero_ns=summary.first_ns)
    (session.report / TABLE).write_text(csv, encoding="utf-8")
    return [
        "<h2>Closed loop</h2>",
        *(html.paragraph(sentence) for sentence in panels.sentences),
        html.picture(png, alt="Actions over time, their causes and effects, and their latencies"),
        "<p>An orange line leads from what was observed to the effect (blue). Reaction is the time "
        "from the middle of the newest scan to the flip or trigger that reacts, content age that "
        "from the middle of the displayed frame which the reconstruction estimates.</p>",
        _table(rows, zero_ns=summary.first_ns),
    ]


def _png(
    rows: Sequence[ActionRow], record: LoopRecord, summary: SessionSummary, panels: PolicyPanels
) -> bytes:
    lanes_inches = _AXIS_INCHES + _LANE_INCHES * (len(lanes_of(rows)) + 2)
    heights = [lanes_inches] if panels.signal is None else [_SIGNAL_INCHES, lanes_inches]
    figure = new_figure(inches=(14, sum(heights) + _BELOW_INCHES))
    above, below = figure.subfigures(
        2, 1, height_ratios=[sum(heights), _BELOW_INCHES], squeeze=False
    ).ravel()
    *first, lanes = above.subplots(
        len(heights), 1, height_ratios=heights, sharex=True, squeeze=False
    ).ravel()
    length_s, zero_ns = summary.seconds, summary.first_ns
    timeline(lanes, rows, record, zero_ns=zero_ns, length_s=length_s)
    if panels.signal is not None:
        signal_over_time(first[0], panels.signal, rows, zero_ns=zero_ns)
    draws = _draws(rows, panels)
    for axes, draw in zip(below.subplots(1, len(draws), squeeze=False).ravel(), draws, strict=True):
        draw(axes)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


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
