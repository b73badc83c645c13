"""On a terminal one line changes; in a file, lines stay."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from rtdecode.commands.console import TrainingLine, progress_shown, training_told


def trained(console: Console, steps: int) -> Progress:
    """What is shown before a training of so many steps ends."""
    with progress_shown(console) as shown:
        line = TrainingLine(shown, console)
        line.begun("training")
        for step in range(1, steps + 1):
            line.stepped(step, 400, told="1.5 min to go")
    return shown


def test_a_file_gets_the_part_and_every_hundredth_step() -> None:
    written = StringIO()
    trained(Console(file=written, width=100), steps=250)
    assert written.getvalue().split("\n")[:3] == [
        "training",
        "step 100 of 400: 1.5 min to go",
        "step 200 of 400: 1.5 min to go",
    ]


def test_a_terminal_gets_one_line_that_goes_away() -> None:
    written = StringIO()
    trained(Console(file=written, width=100, force_terminal=True), steps=250)
    assert "step 100 of 400" not in written.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_part_of_unknown_length_has_no_end(terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal)
    with progress_shown(console) as shown:
        line = TrainingLine(shown, console)
        line.begun("training")
        line.stepped(5, 400, told="1.5 min to go")
        [training] = shown.tasks
        assert (training.completed, training.total) == (5, 400)
        line.begun("measuring noise")
        [noise] = shown.tasks
        assert (noise.description, noise.completed, noise.total) == ("measuring noise", 0, None)


def test_r_is_told_once_there_is_one() -> None:
    before = training_told(loss=0.5, best_r=-1.0, eta_s=120)
    assert before == "loss 0.5000, r not yet known, 2.0 min to go"
    assert "r 0.123" in training_told(loss=0.5, best_r=0.123, eta_s=120)
