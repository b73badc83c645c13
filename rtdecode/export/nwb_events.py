"""What happened in a session, as tables of events of an NWB file.

The tables are those of NWB itself (EventsTable), one for each kind. An action of the policy stands
with its cause and its effect in one row. A table without a row is left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rtdecode.export.nwb_library import Column, events_table, fields_of
from rtdecode.export.session_content import SessionContent
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.config.outputs import SerialOutput
from rtdecode.schema.control import Action

NOTE = "note"
"""Code of the events of notes."""
_NAN = float("nan")
_MS = 1e-3


def add_events(file: Any, content: SessionContent, control: ControlConfig | None) -> None:
    """Add the tables of what happened."""
    tables = [
        _events(content),
        _losses(content),
        _starts(content),
        _actions(content),
        _pulses(content, control),
    ]
    for made in tables:
        if made is not None:
            file.add_events_table(made)


def add_notes(file: Any, content: SessionContent, later: Sequence[tuple[float, str]]) -> None:
    """Add notes: those made during the session, and `later` ones with their times in s."""
    found = [
        (content.seconds(t_ns), event.text) for t_ns, event in content.events if event.code == NOTE
    ]
    found = sorted([*found, *later])
    if found:
        texts = Column("annotation", "The note.", [text for _, text in found])
        file.add_events_table(
            events_table(
                "notes",
                "Notes of the experimenter, during the session and after it.",
                t_s=np.array([t_s for t_s, _ in found]),
                columns=[texts],
                source="The page, the terminal or `rtdecode note`.",
            )
        )


def _events(content: SessionContent) -> Any | None:
    rows = [(t_ns, event) for t_ns, event in content.events if event.code != NOTE]
    if not rows:
        return None
    events = [event for _, event in rows]
    return events_table(
        "session_events",
        "What happened in the processes of the session, as they reported it.",
        t_s=content.seconds_of(np.array([t_ns for t_ns, _ in rows], np.int64)),
        columns=[
            *fields_of(
                events,
                severity="info, warning or alarm.",
                process="Process that reports it.",
                code="Identifier of the text.",
            ),
            Column(
                "counts", "What the event adds, by name.", [_in_words(one.counts) for one in events]
            ),
            Column("annotation", "The text.", [one.text for one in events]),
        ],
        source="The processes of rtdecode.",
    )


def _in_words(counts: Mapping[str, float]) -> str:
    return "; ".join(f"{name} {value:g}" for name, value in counts.items())


def _losses(content: SessionContent) -> Any | None:
    if not content.gaps:
        return None
    gaps = [gap for _, gap in content.gaps]
    return events_table(
        "losses",
        "Messages that did not arrive at a process, when it noticed. Nothing is interpolated.",
        t_s=content.seconds_of(np.array([t_ns for t_ns, _ in content.gaps], np.int64)),
        columns=fields_of(
            gaps,
            stream="Stream of the messages.",
            first_missing="Number of the first one.",
            n_missing="Number of messages.",
            detected_by="Process that noticed.",
        ),
        source="Numbers of the messages.",
    )


def _starts(content: SessionContent) -> Any | None:
    """Starts and restarts of the processes."""
    if not content.starts:
        return None
    before: dict[str, int] = {}
    restarts = []
    for source, _, _ in content.starts:
        restarts.append(before.get(source, 0))
        before[source] = before.get(source, 0) + 1
    return events_table(
        "process_starts",
        "Starts of the processes of the session.",
        t_s=content.seconds_of(np.array([t_ns for _, t_ns, _ in content.starts], np.int64)),
        columns=[
            Column(
                "process",
                "The process, or a stream of it.",
                [source for source, _, _ in content.starts],
            ),
            Column("restarts", "How often it was started before in this session.", restarts),
        ],
        source="START messages.",
    )


def _actions(content: SessionContent) -> Any | None:
    if not content.actions:
        return None
    actions = content.actions
    return events_table(
        "actions",
        "What the policy of the closed loop asked for, when it decided, why, and what followed.",
        t_s=content.seconds_of(np.array([one.t_decided_ns for one in actions], np.int64)),
        columns=[one for one in (*_decisions(content), *_effects(content)) if _is_known(one)],
        source="The controller of rtdecode.",
    )


def _is_known(column: Column) -> bool:
    """Whether any row has a value."""
    return not all(isinstance(one, float) and math.isnan(one) for one in column.values)


def _decisions(content: SessionContent) -> list[Column]:
    actions, seconds = content.actions, content.seconds
    return [
        Column("number", "Number of the action.", [one.number for one in actions]),
        Column("action", "What it asks for.", [one.name for one in actions]),
        *fields_of(
            actions,
            target="Clip, parameter or output.",
            value="Value of the parameter.",
            policy="Policy that decided.",
            outcome="sent, not_armed, rate_limited or withdrawn: whether it left the controller.",
            cause="Stream of the observation that led to it.",
            cause_frame="Frame of the grid of that observation; -1 where it has none.",
        ),
        Column(
            "cause_time",
            "Time of what was observed, in s.",
            [seconds(one.t_cause_ns) for one in actions],
        ),
        Column(
            "scan_time",
            "Middle of the newest scan behind the observation, in s; NaN: none.",
            [seconds(one.t_scan_ns) if one.t_scan_ns else _NAN for one in actions],
        ),
        Column("annotation", "Why, as the policy states it.", [one.reason for one in actions]),
    ]


def _effects(content: SessionContent) -> list[Column]:
    actions = content.actions
    sent = {one.number: one for one in content.deliveries}
    known = [content.acknowledgements.get(one.number) for one in actions]
    return [
        Column(
            "result",
            "What the stimulus did: applied, late, refused, replaced or withdrawn; "
            "empty where it gave no result.",
            ["" if one is None else one.result for one in known],
        ),
        Column(
            "effect_time",
            "Flip of the first frame with the effect, or when the output had "
            "taken the trigger, in s; NaN: none.",
            [_effect_s(content, action, sent) for action in actions],
        ),
        Column(
            "effect_frame_number",
            "Number of that frame in 'displayed_frames'; -1: none.",
            [-1 if one is None else one.frame_number for one in known],
        ),
        Column(
            "result_text",
            "Why it was refused, or how late it was.",
            ["" if one is None else one.text for one in known],
        ),
    ]


def _effect_s(content: SessionContent, action: Action, sent: Mapping[int, Any]) -> float:
    done, delivery = content.acknowledgements.get(action.number), sent.get(action.number)
    if done is not None and done.t_flip_ns:
        return content.seconds(done.t_flip_ns)
    if delivery is not None and not delivery.error:
        return content.seconds(delivery.t_sent_ns)
    return _NAN


def _pulses(content: SessionContent, control: ControlConfig | None) -> Any | None:
    """Triggers that left, with the length of the pulse where the config states it."""
    pulses = [one for one in content.deliveries if not one.error]
    if not pulses:
        return None
    outputs = {} if control is None else {one.name: one for one in control.outputs}
    lengths = {name: one.pulse_ms for name, one in outputs.items() if isinstance(one, SerialOutput)}
    return events_table(
        "trigger_pulses",
        "Triggers of the policy that left through an output, when the output had taken them.",
        t_s=content.seconds_of(np.array([one.t_sent_ns for one in pulses], np.int64)),
        duration_s=np.array([_MS * lengths.get(one.output, _NAN) for one in pulses]),
        columns=[
            Column("output", "Name of the output.", [one.output for one in pulses]),
            Column(
                "action",
                "Number of the action in the table 'actions'.",
                [one.number for one in pulses],
            ),
            Column(
                "delay",
                "From the decision to the effect of the device, in s, with the delay "
                "of the device that the config states.",
                [_MS * one.delay_ms for one in pulses],
            ),
        ],
        source="The outputs of the controller of rtdecode.",
    )
