"""Progress of a replay in the terminal, and its end by a signal."""

from collections.abc import Callable
from contextlib import ExitStack
from threading import Event
from typing import Self

from rich.console import Console

from rtdecode.commands.console import print_plain, progress_bar
from rtdecode.runtime.stop import stopped_by_signals
from rtdecode.session.injected_faults import InjectedFaults
from rtdecode.session.replay import Conduct

_PARTS = 10
"""Lines of progress without a terminal."""


class ReplayProgress:
    """Progress of a replay in s of the recording, which a signal stops after the present batch.

    Without a terminal it prints a line at each tenth.
    """

    def __init__(
        self,
        console: Console,
        *,
        faults: InjectedFaults,
        speed: float | None = None,
        name: str = "replay",
    ) -> None:
        self._console, self._speed, self._faults, self._name = console, speed, faults, name
        self._ending = ExitStack()
        self._update: Callable[[float, float], None] = lambda _done_s, _all_s: None
        self._done_s = self._all_s = 0.0
        self._tenths = 0
        self._stop = Event()

    def __enter__(self) -> Self:
        bar = self._ending.enter_context(progress_bar(self._console))
        task = bar.add_task(f"{self._name}, in s", total=None, status="")
        self._update = lambda done_s, all_s: bar.update(
            task, completed=int(done_s), total=max(1, int(all_s))
        )
        self._stop = self._ending.enter_context(stopped_by_signals())
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.close()

    @property
    def conduct(self) -> Conduct:
        """What the replay is given."""
        return Conduct(speed=self._speed, faults=self._faults, stop=self._stop, report=self._report)

    @property
    def stopped(self) -> str:
        """Where the replay was stopped, as a phrase; empty where it was not."""
        if not self._stop.is_set():
            return ""
        return (
            f"stopped as asked after {self._done_s:.1f} of {self._all_s:.1f} s; what was replayed "
            "is kept"
        )

    def _report(self, done_s: float, all_s: float) -> None:
        self._done_s, self._all_s = done_s, all_s
        self._update(done_s, all_s)
        tenths = int(_PARTS * done_s / all_s) if all_s > 0 else _PARTS
        if tenths > self._tenths and not self._console.is_terminal:
            print_plain(self._console, f"{self._name}: {done_s:.0f} of {all_s:.0f} s")
        self._tenths = max(self._tenths, tenths)
