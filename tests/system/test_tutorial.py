"""docs/tutorial_closed_loop.md, from its first block to its last, with one repeat of its movies."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial_closed_loop.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROGRAMS = {"python": [sys.executable], "rtdecode": [sys.executable, "-m", "rtdecode"]}


def followed(folder: Path) -> dict[str, str]:
    """What each command of the page prints; files are written where the page has them."""
    told = {}
    for language, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language != "sh":
            name = body.splitlines()[0].removeprefix("# ")
            (folder / name).write_text(body.replace("repeats: 2", "repeats: 1"), encoding="utf-8")
            continue
        for line in body.splitlines():
            program, *words = shlex.split(line)
            if program in PROGRAMS:
                command = [*PROGRAMS[program], *words]
                ran = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, check=False
                )
                assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
                told[line] = ran.stdout
    return told


def test_each_step_does_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "rtdecode").symlink_to(ROOT / "rtdecode")
    folder = tmp_path / "experiment"
    folder.mkdir()
    checked, ran, analysed, again, brighter, darker = followed(folder).values()
    assert "timetable of" in checked
    assert "3 trials" in checked
    pulses = int(re.search(r"actions: trigger \((\d+) sent\)", ran).group(1))  # type: ignore[union-attr]
    assert pulses > 0
    assert "The content age, from the displayed frame to the trigger" in ran
    assert f"{pulses} pulses, median content age" in analysed
    assert f"identical to the recorded decisions: {pulses} of {pulses}" in again
    values = [float(found) for found in re.findall(r"luminance ([\d.]+) above 150", brighter)]
    assert all(value > 150 for value in values)
    assert f"threshold: {len(values)} actions" in brighter
    assert "FireWhenItDarkens:" in darker
    report = folder / "first_session" / "report"
    assert "trials of the protocol (3) are in trials.csv" in (report / "index.html").read_text()
    for name in ("index.html", "closed_loop.png", "actions.csv", "trials.csv", "events.tsv"):
        assert (report / name).stat().st_size > 0
