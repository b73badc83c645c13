"""What a person sees in the terminal: the live table, and errors in one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

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

from rtdecode.schema.errors import RtdecodeError
from rtdecode.schema.messages import Health

_SHOWN = ("recorder", "stimulus", "bridge", "decoder", "evaluate", "view")
_INTERRUPTED = 130
_IN_THE_REPORT = ("_p99_ms", "_max_ms")
"""Of the latency of each stage the table tells the median alone."""


def tell(console: Console, text: str) -> None:
    """Print `text` as it is: unbroken, so that paths and YAML can be copied, and without markup."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


class LiveTable:
    """A table with one line a process, kept up to date by heartbeats; without a terminal, a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._health: dict[str, Health] = {}
        self._live: Live | None = None
        self._announced = ""

    def hear(self, name: str, health: Health) -> None:
        """Show the newest heartbeat of `name`."""
        before = self._health.get(name)
        self._health[name] = health
        if not self._console.is_terminal and (before is None or before.state != health.state):
            self._console.print(f"{name}: {health.state}", highlight=False)
        if name == "view" and health.detail and health.detail != self._announced:
            self._announced = health.detail
            self._console.print(f"[bold]See it live:[/] {health.detail}", highlight=False)
        if self._live is not None:
            self._live.update(self._table())

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table while the block runs; only on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._table(), console=self._console, refresh_per_second=4) as self._live:
            # a second Ctrl-C ends the process at once, and must not leave a terminal without one
            self._console.show_cursor(True)
            yield
        self._live = None

    def _table(self) -> Table:
        table = Table("process", "state", "what it counts", box=None, header_style="dim")
        for name in _SHOWN:
            health = self._health.get(name)
            if health is not None:
                table.add_row(name, health.state, _counted(health))
        return table


def _counted(health: Health) -> str:
    told = {n: value for n, value in health.counters.items() if not n.endswith(_IN_THE_REPORT)}
    return "  ".join(f"{name} {value:,.4g}" for name, value in told.items())


@contextmanager
def errors_told() -> Iterator[None]:
    """Tell a named error on stderr and exit with its code; a bug keeps its trace."""
    try:
        yield
    except RtdecodeError as error:
        told = Console(stderr=True, soft_wrap=True, highlight=False)
        told.print("[bold red]rtdecode:[/]", escape(str(error)))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


_LOGGED_STEPS = 100
"""Steps between two lines in a file."""
_NO_R = -1.0
"""What a training tells as its best r before it has validated."""


@contextmanager
def progress_shown(console: Console) -> Iterator[Progress]:
    """A line with a bar, what is told of it, and the time it took and will take."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def training_told(*, loss: float, best_r: float, eta_s: float) -> str:
    """What is worth knowing while a twin is trained; there is no r before the first validation."""
    validated = f"r {best_r:.3f}" if best_r > _NO_R else "r not yet known"
    return f"loss {loss:.4f}, {validated}, {eta_s / 60:.1f} min to go"


class TrainingLine:
    """The part of a training that is being done, and its steps."""

    def __init__(self, shown: Progress, console: Console) -> None:
        self._shown, self._console = shown, console
        self._task = shown.add_task("", total=None, told="")

    def begun(self, part: str) -> None:
        """`part` begins; how long it takes is not known."""
        self._shown.remove_task(self._task)
        self._task = self._shown.add_task(part, total=None, told="")
        self._log(part)

    def stepped(self, step: int, steps: int, *, told: str) -> None:
        """So many of all steps are done, of which there is this to be told."""
        self._shown.update(self._task, completed=step, total=steps, told=told)
        if step % _LOGGED_STEPS == 0:
            self._log(f"step {step} of {steps}: {told}")

    def _log(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line)
