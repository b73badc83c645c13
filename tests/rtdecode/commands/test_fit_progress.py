"""Progress is one changing line on a terminal, and log lines in a file."""

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from rtdecode.commands.console import WorkLine, progress_bar, training_status


def trained(console: Console, steps: int) -> Progress:
    """Progress before the end of a training of so many steps."""
    with progress_bar(console) as progress:
        line = WorkLine(progress, console)
        line.start_part("training")
        for step in range(1, steps + 1):
            line.advance(step, 400, status="1.5 min remaining")
    return progress


def test_a_file_gets_the_part_and_every_hundredth_step() -> None:
    written = StringIO()
    trained(Console(file=written, width=100), steps=250)
    assert written.getvalue().split("\n")[:3] == [
        "training",
        "step 100 of 400: 1.5 min remaining",
        "step 200 of 400: 1.5 min remaining",
    ]


def test_a_terminal_gets_one_line_that_is_replaced() -> None:
    written = StringIO()
    trained(Console(file=written, width=100, force_terminal=True), steps=250)
    assert "step 100 of 400" not in written.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_part_of_unknown_length_has_no_end(terminal: bool) -> None:
    console = Console(file=StringIO(), force_terminal=terminal)
    with progress_bar(console) as progress:
        line = WorkLine(progress, console)
        line.start_part("training")
        line.advance(5, 400, status="1.5 min remaining")
        [training] = progress.tasks
        assert (training.completed, training.total) == (5, 400)
        line.start_part("measuring noise")
        [noise] = progress.tasks
        assert (noise.description, noise.completed, noise.total) == ("measuring noise", 0, None)


def test_r_is_printed_once_it_is_measured() -> None:
    before = training_status(loss=0.5, best_r=-1.0, eta_s=120)
    assert before == "loss 0.5000, r not yet measured, 2.0 min remaining"
    assert "r 0.123" in training_status(loss=0.5, best_r=0.123, eta_s=120)


def test_a_file_gets_the_remaining_time_of_a_part_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    monkeypatch.setattr("rtdecode.commands.console.time.monotonic", lambda: now_s[0])
    written = StringIO()
    console = Console(file=written, width=100)
    with progress_bar(console) as progress:
        for _ in WorkLine(progress, console).work().rounds("reading", range(9), total=9):
            now_s[0] += 4.0
    assert written.getvalue().split("\n")[:4] == [
        "reading",
        "3 of 9: 24 s remaining",
        "6 of 9: 12 s remaining",
        "9 of 9: 0 s remaining",
    ]
