"""Terminal output that the verbs share: live table, progress bar, errors in one sentence."""

import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rtdecode.runtime.backlog import BACKLOG_MB, NOT_RECORDED
from rtdecode.runtime.extras import missing_extra_named
from rtdecode.schema.config.roles import Role
from rtdecode.schema.disk import FAILED, NO_FOLDER, write_error
from rtdecode.schema.errors import OutputPathError, RtdecodeError
from rtdecode.schema.messages import Health
from rtdecode.schema.work import RemainingTime, Work

_PROCESSES = tuple(role.value for role in Role)
_INTERRUPTED = 130
_ZERO_LEFT_OUT = (BACKLOG_MB, NOT_RECORDED)
_MOST_COUNTERS = 30
"""Counters of one process in the table."""
_LEFT_OUT = ("_p99_ms", "_max_ms")
"""Counters that are in the report only; the table has the median latency of each stage."""


def open_in_browser(address: str) -> bool:
    """Open `address` in a browser where there is a display to show it; whether that was tried.

    Without a display the standard library would start a browser of the terminal.
    """
    is_graphical = sys.platform != "linux" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return is_graphical and webbrowser.open(address)


def print_plain(console: Console, text: str) -> None:
    """Print `text` without wrapping, so that paths and YAML can be copied, and without markup."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


class LiveTable:
    """Table with a line for each process, updated by heartbeats; without a terminal, log lines.

    The table is drawn by a thread of its own, so that a terminal that takes no output for a while
    (Ctrl-S, a connection that hangs) delays neither heartbeats nor commands. The page is announced
    with the name of its host where that is another one, and given to `on_page`.
    """

    def __init__(
        self,
        console: Console,
        *,
        page_host: str = "",
        on_page: Callable[[str], object] = lambda _address: None,
    ) -> None:
        self._console, self._page_host, self._on_page = console, page_host, on_page
        self._health: dict[str, Health] = {}
        self._announced = self._warned = ""

    def update(self, name: str, health: Health) -> None:
        """Replace the line of process `name` by its newest heartbeat."""
        before = self._health.get(name)
        self._health[name] = health
        if not self._console.is_terminal and (before is None or before.state != health.state):
            self._console.print(f"{name}: {health.state}", highlight=False)
        if name == "view" and health.detail and health.detail != self._announced:
            self._announced = health.detail
            self._announce_page(health.detail.splitlines())
            self._on_page(health.detail.splitlines()[-1])
        if name == Role.RECORDER and health.detail and health.detail != self._warned:
            self._warned = health.detail
            self._console.print(
                "[bold yellow]warning:[/]", escape(health.detail), highlight=False, soft_wrap=True
            )

    def _announce_page(self, addresses: list[str]) -> None:
        """Print the addresses of the page, each whole: the terminal wraps it, and no table cuts it.

        Output that is no terminal may be read by others, as a journal is: it gets no token.
        """
        if len(addresses) > 1 and not self._console.is_terminal:
            address = addresses[0].partition("?")[0]
            addresses = [f"{address} (with its tokens in page.txt in the folder of the session)"]
        purposes = (
            ("Live page",) if len(addresses) == 1 else ("Live page to watch", "Live page to act")
        )
        where = f" on {self._page_host}" if self._page_host else ""
        for purpose, address in zip(purposes, addresses, strict=True):
            self._console.print(
                f"[bold]{purpose}{where}:[/]", escape(address), highlight=False, soft_wrap=True
            )

    @contextmanager
    def displayed(self) -> Iterator[None]:
        """Display the table while the block runs; only on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=self._table, console=self._console, refresh_per_second=4):
            # a second Ctrl-C ends the process at once, and must not leave a terminal without one
            self._console.show_cursor(True)
            yield

    def _table(self) -> Table:
        table = Table("process", "state", "counters", box=None, header_style="dim")
        hosts = sorted(self._health.keys() - set(_PROCESSES))
        for name in (*_PROCESSES, *hosts):
            health = self._health.get(name)
            if health is not None:
                shown = health.detail if name in hosts else _counted(health)
                table.add_row(escape(name), escape(f"{health.state:.20}"), escape(shown))
        return table


def _counted(health: Health) -> str:
    kept = {
        name: value
        for name, value in health.counters.items()
        if not name.endswith(_LEFT_OUT) and (value or name not in _ZERO_LEFT_OUT)
    }
    return "  ".join(f"{name:.40} {value:,.4g}" for name, value in [*kept.items()][:_MOST_COUNTERS])


@contextmanager
def errors_reported(*, interrupted: str = "") -> Iterator[None]:
    """Print a named error on stderr and exit with its code; other exceptions keep their trace.

    A disk that is full or fails is named too, whatever was being written, a file where a folder is
    needed, and a package that is not installed because it belongs to an extra. After Ctrl-C
    `interrupted` is printed, if any.
    """
    try:
        with missing_extra_named():
            yield
    except RtdecodeError as error:
        sys.exit(_printed(error))
    except OSError as error:
        if error.errno in FAILED:
            sys.exit(_printed(write_error(error)))
        if error.errno not in NO_FOLDER or error.filename is None:
            raise
        got = os.strerror(error.errno)
        sys.exit(_printed(OutputPathError(path=Path(error.filename), got=got)))
    except KeyboardInterrupt:
        if interrupted:
            _stderr().print(f"interrupted: {interrupted}")
        sys.exit(_INTERRUPTED)


def _printed(error: RtdecodeError) -> int:
    """Exit code of `error`, after it was printed."""
    _stderr().print("[bold red]rtdecode:[/]", escape(str(error)))
    return error.exit_code


def print_warning(text: str) -> None:
    """Print `text` on stderr as a warning."""
    _stderr().print("[bold yellow]warning:[/]", escape(text))


def _stderr() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False)


_LOGGED_STEPS = 100
"""Steps of a training between two lines in a file."""
_NO_R = -1.0
"""Value of the best validation r before the first validation."""


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Progress line: description, bar, status, elapsed and remaining time."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def training_status(*, loss: float, best_r: float, eta_s: float) -> str:
    """Loss, best validation r and remaining minutes of a training, as one line."""
    validated = f"r {best_r:.3f}" if best_r > _NO_R else "r not yet measured"
    return f"loss {loss:.4f}, {validated}, {eta_s / 60:.1f} min remaining"


class WorkLine:
    """Progress of long work: its part, the rounds done, and the time that remains.

    On a terminal it is one line that changes. A file gets a line for each part, and one for every
    hundredth step of a training and every ten seconds of other parts.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._task = progress.add_task("", total=None, status="")
        self._remaining = RemainingTime(time.monotonic)

    def work(self) -> Work:
        """What long work reports to."""
        return Work(begun=self.start_part, report=self.count, cut_short=self._warn)

    def start_part(self, part: str) -> None:
        """Start `part`, whose number of steps is not known yet."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(part, total=None, status="")
        self._remaining.begin()
        self._log(part)

    def count(self, done: int, total: int) -> None:
        """Set the number of rounds done and in all."""
        self._progress.update(self._task, completed=done, total=total)
        if line := self._remaining.line(done, total):
            self._log(line)

    def advance(self, step: int, steps: int, *, status: str) -> None:
        """Set the number of steps done and in all, and the status beside the bar."""
        self._progress.update(self._task, completed=step, total=steps, status=status)
        if step % _LOGGED_STEPS == 0:
            self._log(f"step {step} of {steps}: {status}")

    def _log(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line)

    def _warn(self, sentence: str) -> None:
        self._console.print("[bold yellow]warning:[/]", escape(sentence), highlight=False)


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table of texts in columns of equal width; none where it is empty.

    >>> list(in_columns([("name", "r"), ("lag 4", "0.8")]))
    ['name   r', 'lag 4  0.8']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
