"""A batch: a file with one rtdecode command a line, each of which any worker may run.

Fits and reconstructions of many sessions and seeds are commands that do not depend on each other.
Each runs in a process of its own, so that a worker that is lost takes only that command with it;
another worker begins it anew, and a fit then continues from its last saved step.

>>> from pathlib import Path
>>> read_lines("rtdecode fit twin --data a --out b  # seed 0", path=Path("jobs"), verbs=["fit"])
[Line(number=1, arguments=('fit', 'twin', '--data', 'a', '--out', 'b'))]
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtdecode.runtime.cluster import Workers
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import BatchFileError

PROGRAM = "rtdecode"
RESULTS = "batch.json"
"""Name of the file with the outcomes, in the folder of a batch."""
_WITH_ITS_WORKER = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux':\n"
    "    ctypes.CDLL(None).prctl(1, 9)\n"  # PR_SET_PDEATHSIG, SIGKILL
    "    if os.getppid() != int(sys.argv[1]): os._exit(1)\n"
    "del sys.argv[1]\n"
    "from rtdecode.__main__ import main\n"
    "main()\n"
)
"""Program that ends when its worker is killed: two processes must not write into one folder."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command, without the name of the program, and the number of its line."""

    number: int
    arguments: tuple[str, ...]

    @property
    def text(self) -> str:
        """The command as one types it."""
        return shlex.join((PROGRAM, *self.arguments))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    line: int
    command: str
    exit_code: int
    seconds: float
    log: str
    """Its output, in a file in the folder of the batch."""


def read_lines(text: str, *, path: Path, verbs: Sequence[str]) -> list[Line]:
    """The commands in the `text` of the file `path`; empty lines and comments are left out.

    Raises
    ------
    BatchFileError
        If a line is no command with one of `verbs`; nothing of the batch has run then.
    """
    lines = []
    for number, written in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(written, comments=True)
        except ValueError:
            words = [written]
        if not words:
            continue
        if words[0] != PROGRAM or words[1:2] == [] or words[1] not in verbs:
            raise BatchFileError(path=path, line=number, got=written.strip(), verbs=verbs)
        lines.append(Line(number, tuple(words[1:])))
    return lines


def run_batch(lines: Sequence[Line], folder: Path, *, workers: Workers) -> Iterator[Outcome]:
    """Run the commands, and give each outcome in the order of lines.

    `folder` gets `batch.json`, written after each command, and the output of each one. Commands
    that ended without an error when the batch ran before are not repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {one.command: one for one in _kept(folder) if one.exit_code == 0}
    missing = [line for line in lines if line.text not in kept]
    found = workers(run_line, (folder.resolve(), Path.cwd()), missing)
    outcomes = []
    for line in lines:
        outcomes.append(kept[line.text] if line.text in kept else next(found))
        with written_atomically(folder / RESULTS) as unfinished:
            text = json.dumps([asdict(one) for one in outcomes], indent=2)
            unfinished.write_text(text + "\n", encoding="utf-8")
        yield outcomes[-1]


def run_line(folders: tuple[Path, Path], line: Line) -> Outcome:
    """Run one command in the second of `folders`; its output goes into a file in the first one."""
    logs, here = folders
    log = logs / f"{line.number:04d}.log"
    begun_s = time.monotonic()
    program = [sys.executable, "-c", _WITH_ITS_WORKER, str(os.getpid())]
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(  # noqa: S603 - the user's own command, with verbs that are checked
            [*program, *line.arguments],
            cwd=here,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    seconds = time.monotonic() - begun_s
    return Outcome(line.number, line.text, done.returncode, seconds, log.name)


def _kept(folder: Path) -> list[Outcome]:
    """Outcomes of an earlier run of the batch; none where its file is absent or damaged."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        return [Outcome(**row) for row in rows]
    except (FileNotFoundError, ValueError, TypeError):
        return []
