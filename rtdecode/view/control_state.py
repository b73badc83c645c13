"""What the page states about the controller: armed or not, by whom, its last action and effect.

It depends on no socket and no browser. Events reach the page from the controller and again from the
recorder, also long after they happened; only the newest one states the arming.
"""

import math
from typing import Any

from rtdecode.schema.bounded import Recent
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.control import Acknowledgement, Action, ActionName, Delivery, Outcome
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Health, Received, Start

_CONTROLLER = "controller"
_ARMING = {"armed": True, "dead_man_renewed": True, "disarmed": False}
"""Codes of events that state the arming."""
_SILENT_S = 3.0
_LISTED = 12
"""Newest actions that are listed."""
_NS_PER_S, _NS_PER_MS = 1e9, 1e6
_OUTCOMES = {Outcome.NOT_ARMED.value: "withheld: not armed", Outcome.RATE_LIMITED.value: "withheld"}


class ControlState:
    """State of the controller of one run, from its messages."""

    def __init__(self, *, clock: Clock, config: ControlConfig | None = None) -> None:
        self._clock, self._config = clock, config
        self._armed, self._arming_ns = False, 0
        self._arming_text = "nothing is carried out"
        self._policy = ""
        self._health, self._received_ns = Health("", "", {}), 0
        self._action: Action | None = None
        self._effect = ""
        self._recent: Recent[int, dict[str, Any]] = Recent(_LISTED)
        """The newest actions by their number, as plain values."""
        self._t_scan_ns: Recent[int, int] = Recent(_LISTED)
        self._zero_ns: int | None = None

    def add(self, item: Received) -> None:
        """Take one message into account; those of other processes are ignored."""
        message, body = item.message, item.message.body
        match body:
            case Event(process=process, code=code, text=text) if (
                process == _CONTROLLER and code in _ARMING and message.t_ns >= self._arming_ns
            ):
                self._armed, self._arming_ns = _ARMING[code], message.t_ns
                self._arming_text = f"{text:.500}"
            case Health() if message.source == _CONTROLLER:
                self._health, self._received_ns = body, item.t_received_ns
                if message.t_ns >= self._arming_ns and "armed" in body.counters:
                    self._armed = body.counters["armed"] > 0
            case Start(versions=versions):
                self._zero_ns = min(message.t_ns, self._zero_ns or message.t_ns)
                if message.source == _CONTROLLER:
                    self._policy = versions.get("policy", "")
            case Action():
                self._add_action(body)
            case Acknowledgement() | Delivery():
                self._add_effect(body)

    def as_json(self) -> dict[str, Any] | None:
        """The state as plain values for JSON; None where there is no controller."""
        if not self._received_ns:
            return None
        silent_s = (self._clock.now_ns() - self._received_ns) / _NS_PER_S
        counters = {n: c for n, c in self._health.counters.items() if math.isfinite(c)}
        withheld = counters.get("withheld", 0.0)
        return {
            "armed": self._armed,
            "text": self._arming_text,
            "policy": self._policy,
            "sent": round(counters.get("actions", 0.0) - withheld),
            "withheld": round(withheld),
            "dead_man_left_s": counters.get("dead_man_left_s") if self._armed else None,
            "silent_s": silent_s if silent_s > _SILENT_S else None,
            "last": None if self._action is None else self._last(self._action),
            "parameters": _parameters(self._config),
            "recent": list(reversed(self._recent.values())),
        }

    def _add_action(self, action: Action) -> None:
        self._action, self._effect, self._policy = action, "", action.policy
        self._t_scan_ns[action.number] = action.t_scan_ns
        zero_ns = self._zero_ns
        t_s = None if zero_ns is None else (action.t_decided_ns - zero_ns) / _NS_PER_S
        self._recent[action.number] = {
            "number": action.number,
            "t_s": t_s,
            **self._last(action),
            "ms": None,
        }

    def _add_effect(self, body: Acknowledgement | Delivery) -> None:
        """Note what became of an action, and the time from the newest scan to its effect."""
        effect = _effect(body)
        if self._action is not None and body.number == self._action.number:
            self._effect = effect
        if body.number not in self._recent:
            return
        at_ns = body.t_sent_ns if isinstance(body, Delivery) else body.t_flip_ns
        scan_ns = self._t_scan_ns.get(body.number, 0)
        ms = (at_ns - scan_ns) / _NS_PER_MS if at_ns and scan_ns else None
        # assigned as a whole it would become the newest one
        self._recent[body.number].update(effect=effect, ms=ms)

    def _last(self, action: Action) -> dict[str, str]:
        what = f"{action.name} {action.target}".strip()
        if action.name == ActionName.SET_PARAMETER:
            what = f"{what} = {action.value:g}"
        frame = f" (frame {action.cause_frame})" if action.cause_frame >= 0 else ""
        cause = action.reason or f"after {action.cause}{frame}"
        return {
            "what": f"{what:.80}",
            "cause": f"{cause:.120}",
            "effect": self._effect or _OUTCOMES.get(action.outcome, "sent"),
        }


def _parameters(config: ControlConfig | None) -> dict[str, str]:
    """What the config states of policy and controller, as text."""
    if config is None:
        return {}
    limits = {
        "max_actions_per_s": f"{config.max_actions_per_s:g}",
        "dead_man_s": "no limit" if config.dead_man_s is None else f"{config.dead_man_s:g}",
        "silence_s": f"{config.silence_s:g}",
        "step_budget_ms": f"{config.step_budget_ms:g}",
    }
    options = {str(name)[:40]: f"{value}"[:80] for name, value in config.policy.options.items()}
    return options | limits


def _effect(body: Acknowledgement | Delivery) -> str:
    if isinstance(body, Delivery):
        return f"failed: {body.error:.120}" if body.error else f"out after {body.delay_ms:.1f} ms"
    text = f": {body.text:.120}" if body.text else ""
    if not body.t_flip_ns:
        return f"{body.result}{text}"
    waited_ms = (body.t_flip_ns - body.t_received_ns) / _NS_PER_MS
    return f"{body.result}, displayed {waited_ms:.0f} ms after it was received{text}"
