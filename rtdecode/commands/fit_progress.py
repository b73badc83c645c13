"""How far a fit is: a line that changes on a terminal, lines that stay in a file."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

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
