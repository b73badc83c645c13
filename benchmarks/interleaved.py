"""Two revisions in worktrees of their own, run in turns, and ratios of what is measured.

The mechanism of `compare.py`. The speed of a machine varies from minute to minute, so that both
revisions of a turn run one after the other, in an order that gives neither the same place in each.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Figures = Mapping[str, float]
Turns = Sequence[tuple[Figures, Figures]]
"""The figures of A and of B, for each turn."""

LEAST_TURNS = 6
"""Turns below which no interval of a median is one of 95 %: 1 - 2 / 2^n is 0.94 for n = 5."""
_DRAWS = 10_000
_PERCENTILES = (2.5, 97.5)
_PATIENCE_S, _POLL_S = 10.0, 0.2


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision as it was named, its commit, and the content of its files."""

    name: str
    commit: str
    tree: str


def revision(name: str, repository: Path) -> Revision:
    """The revision `name` of `repository`; ValueError if it has none of that name."""
    found = [
        git(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{{kind}}}", check=False)
        for kind in ("commit", "tree")
    ]
    if not all(found):
        raise ValueError(
            f"'{name}' is no revision of {repository}: give a commit, a branch or a tag"
        )
    return Revision(name, *found)


def git(repository: Path, *words: str, check: bool = True) -> str:
    """Output of `git words` in `repository`; "" where it fails and `check` is False."""
    program = shutil.which("git")
    if program is None:
        raise ValueError("git is not installed, or not in PATH: worktrees need it")
    done = subprocess.run(
        [program, "-C", str(repository), *words], check=check, capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def worktrees(repository: Path, revisions: Sequence[Revision]) -> Iterator[list[Path]]:
    """A folder with the files of each revision; all are removed at the end, however it comes."""
    folder = Path(tempfile.mkdtemp(prefix="rtd-compare-"))
    roots = [folder / letter for letter, _ in zip("ab", revisions, strict=False)]
    try:
        for root, one in zip(roots, revisions, strict=True):
            git(repository, "worktree", "add", "--quiet", "--detach", str(root), one.commit)
        yield roots
    finally:
        with _uninterrupted():
            for root in roots:
                # twice forced: one that is half made is locked
                words = ("worktree", "remove", "--force", "--force", str(root))
                git(repository, *words, check=False)
            _remove(folder)
            git(repository, "worktree", "prune", check=False)


def _remove(folder: Path) -> None:
    """Remove `folder`, in which a process of an interrupted git may still write for a moment."""
    until_s = time.monotonic() + _PATIENCE_S
    while folder.exists() and time.monotonic() < until_s:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_POLL_S)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore a second Ctrl-C while the block runs."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(command: Sequence[str], *, root: Path, temporary: Path) -> int:
    """Exit code of `command` with the code in `root`, on one thread.

    It has a process group of its own, all of which ends if this process is interrupted; its
    temporary files are in the folder `temporary`.
    """
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(threads, "1")}
    environment |= {"PYTHONPATH": str(root), "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait()
    finally:
        if process.returncode is None:
            with _uninterrupted():
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all processes in the group of `process`, and wait for them."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        is_there, until_s = _signalled(process.pid, request), time.monotonic() + _PATIENCE_S
        while is_there and time.monotonic() < until_s:
            process.poll()
            time.sleep(_POLL_S)
            is_there = _signalled(process.pid, 0)
        if not is_there:
            return


def _signalled(group: int, request: int) -> bool:
    """Send the signal `request`, 0 for none, to a group of processes; whether it has any."""
    try:
        os.killpg(group, request)
    except ProcessLookupError:
        return False
    return True


def abba(turns: int) -> list[tuple[int, int]]:
    """Which revision runs first in each turn, and which then: A B, B A, A B and so on."""
    return [(0, 1) if turn % 2 == 0 else (1, 0) for turn in range(turns)]


def drawn_order(turns: int, *, seed: int) -> list[tuple[int, int]]:
    """The same at random: in each turn either comes first with probability ½."""
    rng = np.random.default_rng(seed)
    return [(0, 1) if first else (1, 0) for first in rng.integers(0, 2, turns)]


def in_turns(
    order: Sequence[tuple[int, int]], measure: Callable[[int], Figures]
) -> list[tuple[Figures, Figures]]:
    """The figures of A and B in each turn; `measure` is called with 0 for A and 1 for B."""
    turns = []
    for places in order:
        found = {place: measure(place) for place in places}
        turns.append((found[0], found[1]))
    return turns


def median_interval(values: Sequence[float], *, seed: int = 0) -> dict[str, Any]:
    """Median of `values`, with the percentiles 2.5 and 97.5 of medians of resampled values."""
    array = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), (_DRAWS, len(array)))
    low, high = np.percentile(np.median(array[draws], axis=1), _PERCENTILES)
    return {"median": float(np.median(array)), "ci95": [float(low), float(high)]}


def comparison(turns: Turns) -> list[dict[str, Any]]:
    """A row for each figure that all runs have.

    Returns
    -------
    `a` and `b` with `median`, `ci95` and all `runs`; and `ratio`, the median over turns of B / A
    with its `ci95`. Both runs of a turn meet nearly the same load, so that turns are resampled as
    pairs. A figure that is 0 in a run of A has no ratio (None).
    """
    names = [name for name in turns[0][0] if all(name in one for pair in turns for one in pair)]
    return [_row(name, np.array([[a[name], b[name]] for a, b in turns])) for name in names]


def _row(name: str, pairs: F64) -> dict[str, Any]:
    sides = {
        side: {**median_interval(runs), "runs": [float(one) for one in runs]}
        for side, runs in zip("ab", pairs.T, strict=True)
    }
    row = {"figure": name, "turns": len(pairs), **sides, "ratio": None}
    if (pairs[:, 0] != 0).all():
        row["ratio"] = median_interval(list(pairs[:, 1] / pairs[:, 0]))
    return row


def verdict(row: Mapping[str, Any], *, same: bool) -> str:
    """What the interval of the ratio permits to say."""
    if row["ratio"] is None:
        return "no ratio"
    if same:
        return "noise floor"
    if row["turns"] < LEAST_TURNS:
        return "too few turns"
    low, high = row["ratio"]["ci95"]
    return "B lower" if high < 1 else "B higher" if low > 1 else "no difference shown"
