"""Policies that act without looking, as comparisons for the others: open loop and sham.

`OpenLoop` has the repertoire and the cadence of another policy, and chooses at random. `Sham`
repeats the actions of an earlier session at the same times after arming: the animal gets the same
stimuli and triggers, and they no longer depend on what it sees.
"""

from collections.abc import Sequence

from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import Screen, Turns, another_clip, seeded
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.control import ActionName
from rtdecode.schema.messages import DisplayedFrame

_NS_PER_S = 1_000_000_000
_ACTIONS = (ActionName.SHOW_CLIP, ActionName.TRIGGER, ActionName.SET_PARAMETER)


class OpenLoop:
    """Random clips, triggers or parameter values, whatever is reconstructed.

    Parameters
    ----------
    action
        show_clip: at the end of each clip a random other one, each equally often. trigger: the
        output `target`. set_parameter: the parameter `target`, uniform between `low` and `high`.
    target
        Output or parameter; empty for show_clip.
    every_s
        Mean time in s between triggers or values. Triggers follow a Poisson process, values come at
        regular intervals.
    low, high
        Range of the values of a parameter.
    clips
        Clips to choose from; None: all.
    lead_s
        Time in s before the end of a clip at which the next one is chosen.
    dwell_s
        Time in s for which a clip is displayed; None: in full length.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        action: str = "show_clip",
        target: str = "",
        every_s: float = 10.0,
        low: float = 0.0,
        high: float = 1.0,
        clips: Sequence[str] | None = None,
        lead_s: float = 0.2,
        dwell_s: float | None = None,
    ) -> None:
        check = OptionCheck("open_loop")
        self._action = ActionName(check.one_of("action", action, _ACTIONS))
        self._rng = seeded(setting.seed, 1)
        self._every_s = check.positive("every_s", every_s)
        self._low = check.number("low", low)
        self._high = check.number("high", high, low=self._low)
        self._next_ns: int | None = None
        self._chosen: dict[str, int] = {}
        if self._action is ActionName.SHOW_CLIP:
            self._clips = check.clips("clips", clips, setting.clips)
            dwell_s = None if dwell_s is None else check.positive("dwell_s", dwell_s)
            lead_s = check.number("lead_s", lead_s, low=0)
            self._screen = Screen(setting.frame_rate_hz)
            self._turns = Turns(setting, lead_s=lead_s, dwell_s=dwell_s)
        else:
            self._target = check.text("target", target)

    def decide(self, observation: Observation) -> list[Request]:
        if self._action is not ActionName.SHOW_CLIP:
            return self._timed(observation)
        if not isinstance(observation.body, DisplayedFrame):
            return []
        now = self._screen.add(observation.body)
        due_ns = self._turns.due_ns(now)
        if due_ns is None:
            return []
        clip = another_clip(self._clips, now.clip, rng=self._rng, weights=self._chosen)
        self._chosen[clip] = self._chosen.get(clip, 0) + 1
        return [Request.show_clip(clip, reason="random order", t_due_ns=due_ns)]

    def _timed(self, observation: Observation) -> list[Request]:
        """Triggers and values, from the first observation after arming on."""
        if not observation.armed:
            self._next_ns = None
            return []
        if self._next_ns is None:
            self._next_ns = observation.t_ns + self._interval_ns()
        if observation.t_ns < self._next_ns:
            return []
        self._next_ns = observation.t_ns + self._interval_ns()
        if self._action is ActionName.TRIGGER:
            return [Request.trigger(self._target, reason="random time")]
        value = float(self._rng.uniform(self._low, self._high))
        return [Request.set_parameter(self._target, value, reason="random value")]

    def _interval_ns(self) -> int:
        if self._action is ActionName.TRIGGER:
            return round(self._rng.exponential(self._every_s) * _NS_PER_S)
        return round(self._every_s * _NS_PER_S)


class Sham:
    """The actions of an earlier session, at their times after arming.

    After each arming it begins again with the first action.

    Parameters
    ----------
    session
        Folder of the session whose actions are repeated.
    """

    def __init__(self, setting: PolicySetting, *, session: str) -> None:
        check = OptionCheck("sham")
        self._session = check.text("session", session)
        earlier = setting.earlier_actions_s(self._session)
        self._actions = sorted(earlier, key=lambda timed: timed[0])
        if not self._actions:
            raise check.wrong("session", session, expected="a session with actions that were sent")
        self._next, self._armed_for_s = 0, 0.0

    def decide(self, observation: Observation) -> list[Request]:
        if not observation.armed or observation.armed_for_s < self._armed_for_s:
            self._next = 0
        self._armed_for_s = observation.armed_for_s
        requests = []
        while observation.armed and self._next < len(self._actions):
            due_s, earlier = self._actions[self._next]
            if due_s > observation.armed_for_s:
                break
            requests.append(self._repeated(earlier, due_s))
            self._next += 1
        return requests

    def _repeated(self, earlier: Request, due_s: float) -> Request:
        reason = f"{due_s:.2f} s after arming, as in {self._session}"
        return Request(
            earlier.name, earlier.target, earlier.value, reason=reason, frames=earlier.frames
        )
