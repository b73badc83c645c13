"""Faults of a soak run: which happen when, from a seed, and what each does to the run.

They are the cells of the fault matrix (`tests/faults/fault_cells.py`) that a run survives, and page
clients that come and go.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Self

import psutil
from fault_cells import CELLS, RESTARTED, Cell, Fault
from fault_injection import inject
from fault_run import FaultRun
from page_client import Page
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

VISITORS = Cell("page_visitors", Fault.NONE, "none", "three browsers come, read for 10 s and leave")
SLOW_VISITOR = Cell(
    "slow_visitor", Fault.NONE, "none", "a browser connects and reads nothing, 10 s"
)
_VISIT_S = 10.0
_OWN_LIFE_S = 900.0
"""Shortest time between two restarts of one process, so that the growth of its memory can be seen.

The supervisor ends a run after the fourth failure of an essential process within ten minutes."""
_RECOVERY_S = 90.0
_EFFECT_S = 10.0
"""Time after a fault in which its effects may still be recorded, such as late frames."""
_NS_PER_S = 1e9


def survivable() -> tuple[Cell, ...]:
    """Cells of the matrix that one run survives, and page clients.

    Messages on their way cannot be touched in a run that the supervisor starts; `stamp_year` needs
    a rig with the clock of the host.
    """
    kinds = (Fault.KILL, Fault.STOP, Fault.HANG, Fault.HANG_AT_START, Fault.SLOW_DISK, Fault.RIG)
    of_matrix = (
        cell
        for cell in CELLS
        if cell.fault in kinds and not cell.exit_code and cell.name != "stamp_year"
    )
    return (*of_matrix, VISITORS, SLOW_VISITOR)


@dataclass(slots=True)
class Injected:
    """A fault that was made: what, and from when to when its effects are explained by it."""

    cell: Cell
    begun_ns: int
    ended_ns: int = 0
    notes: list[str] = field(default_factory=list)

    def covers(self, t_ns: int) -> bool:
        """Whether an effect at `t_ns` may be due to it."""
        return self.begun_ns <= t_ns <= self.ended_ns + _EFFECT_S * _NS_PER_S

    def as_json(self, zero_ns: int) -> dict[str, Any]:
        """The row of the result file; times in s after `zero_ns`."""
        begun_s, ended_s = ((t - zero_ns) / _NS_PER_S for t in (self.begun_ns, self.ended_ns))
        row: dict[str, Any] = {
            "fault": self.cell.name,
            "process": self.cell.process,
            "done": self.cell.done,
        }
        row |= {"begun_s": round(begun_s, 3), "ended_s": round(ended_s, 3)}
        return row | ({"notes": self.notes} if self.notes else {})

    @classmethod
    def of_json(cls, row: dict[str, Any], zero_ns: int) -> Self:
        """The fault of a row of the result file."""
        times = (zero_ns + round(row[name] * _NS_PER_S) for name in ("begun_s", "ended_s"))
        [cell] = [one for one in survivable() if one.name == row["fault"]]
        return cls(cell, *times, row.get("notes", []))


def restarts(cell: Cell) -> bool:
    """Whether the process of `cell` is started again."""
    return any(code == RESTARTED for _, code in cell.events)


class Draw:
    """Random pauses and faults of a soak run.

    Parameters
    ----------
    seed
        Of the order and of the pauses.
    gap_s
        Mean pause in s between the effects of two faults.
    cells
        The faults to draw from.
    """

    def __init__(self, *, seed: int, gap_s: float, cells: Sequence[Cell]) -> None:
        self._rng, self._gap_s, self._cells = random.Random(seed), gap_s, list(cells)  # noqa: S311 - a draw
        self._deck: list[Cell] = []
        self._restarted_s: dict[str, float] = {}

    def pause_s(self) -> float:
        """Pause before the next fault: the effects of the last one end, then a random time."""
        return _EFFECT_S + self._rng.uniform(0, 2 * max(0.0, self._gap_s - _EFFECT_S))

    def cell(self, now_s: float) -> Cell | None:
        """The next fault at `now_s`; None where all that are left would come too early.

        Each fault comes once before any comes again.
        """
        if not self._deck:
            self._deck = self._rng.sample(self._cells, len(self._cells))
        chosen = next((cell for cell in self._deck if self._is_due(cell, now_s)), None)
        if chosen is None:
            return None
        self._deck.remove(chosen)
        if restarts(chosen):
            self._restarted_s[chosen.process] = now_s
        return chosen

    def _is_due(self, cell: Cell, now_s: float) -> bool:
        last_s = self._restarted_s.get(cell.process)
        return not restarts(cell) or last_s is None or now_s - last_s >= _OWN_LIFE_S


def injected(run: FaultRun, cell: Cell) -> Injected:
    """Make the fault of `cell`, and wait until the page gets reconstructions again."""
    made = Injected(cell, time.monotonic_ns())
    run.cell, run.notes = cell, made.notes
    try:
        _make(run)
    except (psutil.Error, OSError, WebSocketException) as error:
        # a run that has ended, or that cannot be reached, is a result and is stated
        made.notes.append(f"{type(error).__name__} while it was made: {error}")
    frames = run.page.frames
    if not run.wait(lambda: run.page.frames != frames, patience_s=_RECOVERY_S) and run.alive:
        made.notes.append(f"no reconstruction reached the page within {_RECOVERY_S:.0f} s")
    made.ended_ns, run.notes = time.monotonic_ns(), []
    return made


def _make(run: FaultRun) -> None:
    if run.cell is VISITORS:
        _visit(run)
    elif run.cell is SLOW_VISITOR:
        _visit_slowly(run)
    else:
        inject(run)


def _visit(run: FaultRun) -> None:
    pages = [Page() for _ in range(3)]
    for page in pages:
        page.address = run.page.address
    run.wait(lambda: False, patience_s=_VISIT_S)
    for page in pages:
        page.close()


def _visit_slowly(run: FaultRun) -> None:
    address = run.page.address.replace("http", "ws", 1) + "live"
    with closing(connect(address, open_timeout=5, close_timeout=0.2, max_queue=1)):
        run.wait(lambda: False, patience_s=_VISIT_S)


def faults_until(
    run: FaultRun, draw: Draw, *, end_s: float, stop: Event, turn: Callable[[], None]
) -> Iterator[Injected]:
    """Make faults until `end_s` (monotonic), `stop` is set, or the run has ended.

    `turn` is called about once a second between two faults.
    """
    last_s, begun_s = end_s - _EFFECT_S, time.monotonic()

    def waited(until_s: float) -> bool:
        """Wait; whether the run goes on."""
        while run.alive and not stop.is_set() and time.monotonic() < min(until_s, end_s):
            turn()
            stop.wait(min(1.0, max(0.0, until_s - time.monotonic())))
        return run.alive and not stop.is_set()

    while waited(time.monotonic() + draw.pause_s()) and time.monotonic() < last_s:
        cell = draw.cell(time.monotonic() - begun_s)
        if cell is not None:
            yield injected(run, cell)
    waited(end_s)
