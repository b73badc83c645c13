"""What the closed loop of a session did, action by action: rows for the report and for a CSV file.

Duties: join each action of a log with its cause and its effect, note what was on the screen when,
and write `actions.csv`. It must not draw: `closed_loop_figures` does.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtdecode.evaluate.loop_latency import Effect, loop_latencies_ms
from rtdecode.schema.control import (
    Acknowledgement,
    Action,
    Delivery,
    Observed,
    Outcome,
    Result,
)
from rtdecode.schema.messages import DisplayedFrame, Stamped

NO_ANSWER, DELIVERED, FAILED = "no answer", "delivered", "failed"
WITHHELD = (Outcome.NOT_ARMED.value, Outcome.RATE_LIMITED.value)
_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_NO_FRAMES = np.zeros((0, 0, 0), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ActionRow:
    """One action with what became of it."""

    action: Action
    """Without its frames."""
    result: str
    """applied, late, refused, replaced or withdrawn by the stimulus; delivered or failed by an
    output; not_armed or rate_limited in the controller; no answer."""
    effect: Effect | None = None
    frame_number: int = -1
    """Number of the displayed frame that shows the effect; -1 without one."""
    text: str = ""
    """Why it was refused, how late it was, or why its output failed."""

    @property
    def latencies_ms(self) -> dict[str, float]:
        """Reaction and content age in ms, without the distinction of flips and triggers."""
        if self.effect is None:
            return {}
        found = loop_latencies_ms(self.action, self.effect)
        return {name.removeprefix("trigger_"): ms for name, ms in found.items()}

    @property
    def after_due_ms(self) -> float | None:
        """From the time for which it was meant to its flip, in ms; None for the next flip."""
        if self.effect is None or not self.action.t_due_ns:
            return None
        return (self.effect.t_ns - self.action.t_due_ns) / _NS_PER_MS


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation of a clip."""

    clip: str
    t_start_ns: int
    """Flip of its first frame."""
    t_end_ns: int
    """Flip of its last frame."""


class LoopRecord:
    """Collects actions, effects and presentations from the messages of a log, in any order."""

    def __init__(self) -> None:
        self._actions: dict[int, Action] = {}
        self._effects: dict[int, Acknowledgement | Delivery] = {}
        self.presentations: list[Presentation] = []
        self.armed_ns: list[tuple[int, int]] = []
        """Begin and end of each time in which the controller was armed."""
        self._index, self._armed = -1, False

    def add(self, message: Stamped) -> None:
        """Add a message of the loop or a displayed frame; others are ignored."""
        match message.body:
            case Action() as action:
                self._actions[action.number] = replace(action, frames=_NO_FRAMES)
            case Acknowledgement() | Delivery() as effect:
                self._effects[effect.number] = effect
            case DisplayedFrame() as frame:
                self._add_frame(frame)
            case Observed() as observed:
                self._add_armed(observed)

    def rows(self) -> list[ActionRow]:
        """One for each action, by number."""
        return [
            _row(action, self._effects.get(number))
            for number, action in sorted(self._actions.items())
        ]

    def _add_armed(self, observed: Observed) -> None:
        t_ns, before, self._armed = observed.t_observed_ns, self._armed, observed.armed
        if observed.armed and not before:
            self.armed_ns.append((t_ns, t_ns))
        elif before:
            self.armed_ns[-1] = (self.armed_ns[-1][0], t_ns)

    def _add_frame(self, frame: DisplayedFrame) -> None:
        now = self.presentations[-1] if self.presentations else None
        if now is not None and now.clip == frame.clip and frame.index >= self._index:
            self.presentations[-1] = replace(now, t_end_ns=frame.t_flip_ns)
        else:
            self.presentations.append(Presentation(frame.clip, frame.t_flip_ns, frame.t_flip_ns))
        self._index = frame.index


def _row(action: Action, found: Acknowledgement | Delivery | None) -> ActionRow:
    if action.outcome != Outcome.SENT:
        return ActionRow(action, action.outcome)
    if found is None:
        return ActionRow(action, NO_ANSWER)
    effect = Effect.of(found, action)
    if isinstance(found, Delivery):
        return ActionRow(action, FAILED if found.error else DELIVERED, effect, text=found.error)
    return ActionRow(action, found.result, effect, found.frame_number, found.text)


_COLUMNS = (
    *("number", "policy", "action", "target", "value", "outcome", "result"),
    *("cause", "cause_frame", "t_cause_s", "t_scan_s", "t_decided_s", "t_due_s", "t_effect_s"),
    *("frame_number", "reaction_ms", "content_age_ms", "reason", "text"),
)


def actions_csv(rows: Iterable[ActionRow], *, zero_ns: int) -> str:
    """The rows as CSV with a header; times in s after `zero_ns`, empty where there is none."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_csv_row(row, zero_ns=zero_ns) for row in rows)
    return file.getvalue()


def _csv_row(row: ActionRow, *, zero_ns: int) -> list[str]:
    one, spans = row.action, row.latencies_ms

    def seconds(t_ns: int) -> str:
        return f"{(t_ns - zero_ns) / _NS_PER_S:.6f}" if t_ns > 0 else ""

    times = (one.t_cause_ns, one.t_scan_ns, one.t_decided_ns, one.t_due_ns)
    effect_ns = 0 if row.effect is None else row.effect.t_ns
    latencies = (f"{spans[name]:.3f}" if name in spans else "" for name in _LATENCIES)
    return [
        *(str(one.number), one.policy, one.name, one.target, f"{one.value:g}"),
        *(one.outcome, row.result, one.cause, str(one.cause_frame)),
        *(seconds(t_ns) for t_ns in (*times, effect_ns)),
        *(str(row.frame_number), *latencies, one.reason, row.text),
    ]


_LATENCIES = ("reaction_ms", "content_age_ms")


def chosen_clips(rows: Sequence[ActionRow]) -> Counter[str]:
    """How often each clip was asked for and displayed."""
    return Counter(
        row.action.target
        for row in rows
        if row.effect is not None and row.action.name in ("show_clip", "show_frames")
    )


def is_withheld(row: ActionRow) -> bool:
    """Whether the controller kept the action back."""
    return row.result in WITHHELD


def has_failed(row: ActionRow) -> bool:
    """Whether it was sent and had no effect."""
    return row.result in (Result.REFUSED, Result.REPLACED, Result.WITHDRAWN, FAILED, NO_ANSWER)
