"""Levels of the decoder's work, from the configured one to the least, and the frames of each.

Duties: list the levels in the order in which work is shed, divide waiting frames into portions that
are estimated together, and select the frames that are given out. Whether a level is left is decided
in `work_control`. This module must not depend on clocks, twin or solver.

>>> [str(level) for level in work_levels(steps=2, members=1, room=4)][1:]
['1 step', '1 step, every 2nd frame', '1 step, every 4th frame', '1 step, newest frame only']
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rtdecode.schema.messages import WindowFrame

NEWEST_ONLY = 0
"""Output stride of the level that gives out one frame for each estimation."""
_OUTPUT_STRIDES = (2, 4)
_ORDINALS = {2: "2nd", 4: "4th"}


@dataclass(frozen=True, slots=True)
class WorkLevel:
    """How much is computed for each frame.

    steps: solver steps of an estimation. members: twins of an ensemble that are inverted.
    output_stride: every n-th frame of the grid is given out; `NEWEST_ONLY`: one for each
    estimation, which then covers all frames that wait.
    """

    steps: int
    members: int = 1
    output_stride: int = 1

    @property
    def passes(self) -> int:
        """Forward and backward passes of a twin for each estimation."""
        return self.steps * self.members

    def given(self, due: range) -> Sequence[int]:
        """Those of the frames `due` that are given out."""
        if self.output_stride == NEWEST_ONLY:
            return due[-1:]
        return [frame for frame in due if frame % self.output_stride == 0]

    def __str__(self) -> str:
        steps = f"{self.steps} step{'s' if self.steps > 1 else ''}"
        twins = f", {self.members} twins" if self.members > 1 else ""
        if self.output_stride == NEWEST_ONLY:
            return f"{steps}{twins}, newest frame only"
        every = _ORDINALS.get(self.output_stride)
        return f"{steps}{twins}, every {every} frame" if every else f"{steps}{twins}"


def work_levels(*, steps: int, members: int, room: int) -> list[WorkLevel]:
    """All levels from the configured one to the least: first steps, then members, then frames.

    Parameters
    ----------
    steps, members
        Configured solver steps, and twins that are inverted.
    room
        Frames by which the horizon can be shifted before one becomes history without an estimate;
        no output stride is longer.
    """
    levels = [WorkLevel(count, members) for count in range(steps, 0, -1)]
    levels += [WorkLevel(1, count) for count in range(members - 1, 0, -1)]
    levels += [WorkLevel(1, 1, stride) for stride in _OUTPUT_STRIDES if stride <= room]
    return [*levels, WorkLevel(1, 1, NEWEST_ONLY)]


class WaitingFrames:
    """Frames that have not been absorbed yet, in order.

    Parameters
    ----------
    room
        As in `work_levels`: longest shift of the horizon by one portion, except for a jump over
        missing frames and where only the newest frame is given out.
    lag
        Frames from a frame to the newest responses with which it is given out.
    """

    def __init__(self, *, room: int, lag: int) -> None:
        self._room, self._lag = room, lag
        self._items: deque[WindowFrame] = deque()
        self._newest: int | None = None
        self._next_due = 0

    def __len__(self) -> int:
        return len(self._items)

    def extend(self, items: Sequence[WindowFrame]) -> None:
        """Append `items`."""
        self._items.extend(items)

    def portion(self, level: WorkLevel) -> list[WindowFrame]:
        """Remove and return the next frames to estimate together; empty if they have to wait.

        They wait while none of them makes a frame due that `level` gives out. A frame after a jump
        beyond the room is a portion of its own.
        """
        if not self._items:
            return []
        taken = self._taken(level)
        newest = self._items[taken - 1].responses.frame
        if self._may_wait(newest) and not self._makes_due(level, newest):
            return []
        self._newest, self._next_due = newest, newest - self._lag + 1
        return [self._items.popleft() for _ in range(taken)]

    def _taken(self, level: WorkLevel) -> int:
        """Number of items in the next portion."""
        numbers = [item.responses.frame for item in self._items]
        before = numbers[0] - 1 if self._newest is None else self._newest
        taken = 1
        while taken < len(numbers):
            jumps = numbers[taken] - numbers[taken - 1] > self._room
            is_full = numbers[taken] - before > self._room
            if jumps or (is_full and level.output_stride != NEWEST_ONLY):
                break
            taken += 1
        return taken

    def _may_wait(self, newest: int) -> bool:
        return self._newest is not None and newest - self._newest < self._room

    def _makes_due(self, level: WorkLevel, newest: int) -> bool:
        if level.output_stride in (1, NEWEST_ONLY):
            return True
        return bool(level.given(range(self._next_due, newest - self._lag + 1)))
