"""Sheds work of the decoder while it exceeds the time of the frames, and resumes it afterwards.

Duties: measure the load from the cost of each estimation, select the level of work
(`work_levels`), and state each change as an Event. It is a state machine over the costs that it is
given, and must not depend on clocks, on the solver or on sockets.

**Load** is work over time: the time that estimations took, with preprocessing and output, over the
duration of the frames that they covered, in a window of 1 s. The costliest estimation of the window
is left out, so that no single slow one (a page fault, a stopped process) sheds anything.

* Work is shed where the load is above 0.9, or where the deadline ended more than half of the
  estimations. Solver steps and twins are reduced to the first level whose predicted load is at most
  0.8, or to one step of one twin.
* The output rate follows, one level at a time, where estimations cover at least three quarters of
  the frames of the output stride: up to there the frames that wait are estimated together, and all
  are given out. Where one step for as many frames as fit would still be a load above 1.5, or where
  frames of more than 1 s wait, the newest frame alone is given out at once. This also holds, at any
  load, where frames of more than 1 s have waited for 4 s and do not become fewer.
* Work is resumed one level at a time, where its predicted load is at most 0.7, 3 s after the last
  change at the earliest. This time is doubled, up to 60 s, for each time that work is shed within
  10 s after it was resumed.

The prediction scales the measured time of the solver steps with steps, twins and estimations a
frame, and leaves all other work as it is.

>>> control = WorkControl(steps=3, room=4, period_ns=33_000_000, deadline_ns=30_000_000)
>>> cost = Estimation(1, turns=1, waiting=1, steps=3, steps_ns=24_000_000, work_ns=32_000_000)
>>> for _ in range(20):
...     control.add(cost)
>>> str(control.level), [event.code for event in control.events()]
('2 steps', ['steps_shed'])
"""

from collections import deque
from dataclasses import dataclass
from statistics import median

from rtdecode.decode.work_levels import NEWEST_ONLY, WorkLevel, work_levels
from rtdecode.schema.messages import Event

_NS_PER_S = 1e9
_WINDOW_S = 1.0
_LEAST_S, _LEAST_ESTIMATIONS = 0.5, 4
"""Time, of frames or of work, and estimations on which a decision rests at least."""
_FULL_LOAD, _SHED_TO, _RESUME_TO = 0.9, 0.8, 0.7
_FAR_TOO_MUCH, _LONGEST_WAIT_S = 1.5, 1.0
_FULL_PORTION = 0.75
"""Part of the longest portion from which estimations count as covering all that they may."""
_BACKLOG_S = 4.0
_HOLD_S, _LONGEST_HOLD_S, _SOON_S = 3.0, 60.0, 10.0
_DEADLINE_SHARE = 0.8
"""Part of the deadline that the steps may take by prediction where work is resumed."""


@dataclass(frozen=True, slots=True)
class Estimation:
    """Cost of one estimation.

    frames: frames by which the horizon was shifted. turns: batches in which they arrived.
    steps, steps_ns: solver steps made, and their time. work_ns: time of everything, with
    preprocessing and output. is_cut: the deadline ended it before its last step.
    shed: frames that became due and were not given out. waiting: frames that waited when the batch
    was taken of which it is a part.
    """

    frames: int = 0
    turns: int = 0
    steps: int = 0
    steps_ns: int = 0
    work_ns: int = 0
    is_cut: bool = False
    shed: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Cost:
    """Means over the estimations of the window, in ns and frames."""

    load: float
    covered: float
    """Frames that an estimation covered."""
    arrived: float
    """Frames that arrived at once, typically."""
    steps: float
    pass_ns: float
    """Time of one solver step of one twin."""
    other_load: float
    """Load without the solver steps."""
    is_cut: bool
    """Whether the deadline ended more than half of the estimations."""


class WorkControl:
    """Selects the level of work for the next estimation.

    Parameters
    ----------
    steps, members, room
        As `work_levels` takes them.
    period_ns
        Duration of a frame.
    deadline_ns
        Time limit of one estimation.
    """

    def __init__(
        self, *, steps: int, room: int, period_ns: int, deadline_ns: int, members: int = 1
    ) -> None:
        self._levels = work_levels(steps=steps, members=members, room=room)
        self._room, self._period_ns, self._deadline_ns = room, period_ns, deadline_ns
        self._rate_hz = _NS_PER_S / period_ns
        self._index = 0
        self._recent: deque[Estimation] = deque()
        self._backlog: deque[Estimation] = deque()
        self._level_frames = self._shed_frames = 0
        """Frames at this level, and frames that were left out since work was last resumed."""
        self._hold_s, self._since_resumed = _HOLD_S, round(_LONGEST_HOLD_S * self._rate_hz)
        self._events: list[Event] = []

    @property
    def level(self) -> WorkLevel:
        """The level of the next estimation."""
        return self._levels[self._index]

    def events(self) -> list[Event]:
        """Changes since the last call, oldest first."""
        made, self._events = self._events, []
        return made

    def add(self, one: Estimation) -> None:
        """Take the cost of one estimation into account, and change the level where it asks for."""
        self._level_frames += one.frames
        self._since_resumed += one.frames
        self._shed_frames += one.shed
        _append(self._recent, one, frames=_WINDOW_S * self._rate_hz)
        _append(self._backlog, one, frames=_BACKLOG_S * self._rate_hz)
        recent = self._recent
        work_ns = sum(past.work_ns for past in recent)
        frames = sum(past.frames for past in recent)
        is_enough = max(work_ns / _NS_PER_S, frames / self._rate_hz) >= _LEAST_S
        if len(recent) < _LEAST_ESTIMATIONS or not is_enough:
            return
        cost = self._cost()
        if (index := self._shed_to(cost)) is not None:
            self._shed(index)
        elif self._may_resume(cost):
            self._resume()

    def _cost(self) -> _Cost:
        kept = sorted(self._recent, key=lambda one: one.work_ns)[:-1]
        frames = sum(one.frames for one in kept)
        time_ns = frames * self._period_ns
        work_ns, steps_ns = sum(one.work_ns for one in kept), sum(one.steps_ns for one in kept)
        steps = sum(one.steps for one in kept)
        return _Cost(
            load=work_ns / time_ns,
            covered=frames / len(kept),
            # the median leaves out the batch that waited while more was estimated
            arrived=median([one.waiting / one.turns for one in kept if one.turns] or [1.0]),
            steps=steps / len(kept),
            pass_ns=steps_ns / max(1, steps * self.level.members),
            other_load=(work_ns - steps_ns) / time_ns,
            is_cut=2 * sum(one.is_cut for one in kept) > len(kept),
        )

    def _shed_to(self, cost: _Cost) -> int | None:
        """Index of the level that the work is reduced to; None where it fits."""
        is_cut = cost.is_cut and self.level.steps > 1
        below = list(range(self._index + 1, len(self._levels)))
        if below and self._falls_behind():
            return below[-1]
        if not below or (cost.load <= _FULL_LOAD and not is_cut):
            return None
        least = cost.other_load + cost.pass_ns / (self._room * self._period_ns)
        if least > _FAR_TOO_MUCH or self._is_long_wait(self._recent[-1].waiting):
            return below[-1]
        if complete := [n for n in below if self._levels[n].output_stride == 1]:
            most = cost.steps if is_cut else self.level.steps
            fitting = (n for n in complete if self._fits(n, cost) and self._levels[n].steps <= most)
            return next(fitting, complete[-1])
        covers = self._levels[below[0]].output_stride or self._room
        return below[0] if cost.covered >= _FULL_PORTION * covers else None

    def _falls_behind(self) -> bool:
        """Whether many frames have waited for a while, and no fewer now than at first."""
        first, last = self._backlog[0], self._backlog[-1]
        is_long = sum(one.frames for one in self._backlog) >= _BACKLOG_S * self._rate_hz
        least = min(one.waiting for one in self._backlog)
        return is_long and self._is_long_wait(least) and last.waiting >= first.waiting

    def _is_long_wait(self, frames: int) -> bool:
        return frames > _LONGEST_WAIT_S * self._rate_hz

    def _fits(self, index: int, cost: _Cost) -> bool:
        return self._predicted_load(self._levels[index], cost) <= _SHED_TO

    def _may_resume(self, cost: _Cost) -> bool:
        if self._index == 0 or self._level_frames < self._hold_s * self._rate_hz:
            return False
        above = self._levels[self._index - 1]
        in_time = above.passes * cost.pass_ns <= _DEADLINE_SHARE * self._deadline_ns
        in_time |= above.passes == self.level.passes
        return in_time and self._predicted_load(above, cost) <= _RESUME_TO

    def _predicted_load(self, level: WorkLevel, cost: _Cost) -> float:
        same = level.output_stride == self.level.output_stride
        covered = max(level.output_stride, cost.covered if same else cost.arrived)
        return cost.other_load + level.passes * cost.pass_ns / (covered * self._period_ns)

    def _shed(self, index: int) -> None:
        since_resumed_s = self._since_resumed / self._rate_hz
        if since_resumed_s < _SOON_S:
            self._hold_s = min(2 * self._hold_s, _LONGEST_HOLD_S)
        elif since_resumed_s > _LONGEST_HOLD_S:
            self._hold_s = _HOLD_S
        self._events.append(_shed_event(self.level, self._levels[index]))
        self._begin(index)

    def _resume(self) -> None:
        seconds = round(self._level_frames / self._rate_hz, 1)
        counts = {"seconds": seconds, "frames_shed": float(self._shed_frames)}
        above = self._levels[self._index - 1]
        text = f"there is time again: the work of an estimation was raised to {above}"
        self._events.append(Event("info", _DECODER, "work_recovered", text, counts))
        self._since_resumed = self._shed_frames = 0
        self._begin(self._index - 1)

    def _begin(self, index: int) -> None:
        self._index, self._level_frames = index, 0
        self._recent.clear()


def _append(kept: deque[Estimation], one: Estimation, *, frames: float) -> None:
    """Append `one`, and remove the oldest that are not needed to cover `frames`."""
    kept.append(one)
    covered = sum(past.frames for past in kept)
    while len(kept) > _LEAST_ESTIMATIONS and covered - kept[0].frames >= frames:
        covered -= kept.popleft().frames


_DECODER = "decoder"
_ALL_SCANS = "all scans are still processed and recorded"


def _shed_event(before: WorkLevel, after: WorkLevel) -> Event:
    """Event of the most serious part of a change."""
    if after.output_stride == NEWEST_ONLY:
        text = (
            "the decoder cannot keep up, even with one solver step for several frames: only the "
            f"newest of the frames that wait is decoded, and {_ALL_SCANS}; end other programs, or "
            "decode with fewer neurons or on a faster machine"
        )
        return Event("alarm", _DECODER, "overloaded", text)
    if after.output_stride != before.output_stride:
        text = f"the work took longer than the frames: output was reduced to {after}; {_ALL_SCANS}"
        return Event("warning", _DECODER, "rate_shed", text)
    text = f"the work took longer than the frames: an estimation was reduced to {after}"
    if after.members != before.members:
        counts = {"members": float(before.members - after.members)}
        return Event("info", _DECODER, "members_shed", text, counts)
    return Event("info", _DECODER, "steps_shed", text, {"steps": float(before.steps - after.steps)})
