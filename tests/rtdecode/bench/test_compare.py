"""Comparisons of two revisions: order of turns, intervals with known answers, and workloads."""

import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import compare_workloads
import numpy as np
import pytest
from compare import RESULTS, asked, line_of, result_path
from compare_workloads import WORKLOADS, fields_of_view, largest_differences
from interleaved import (
    Revision,
    abba,
    comparison,
    drawn_order,
    in_turns,
    median_interval,
    revision,
    run,
    verdict,
    worktrees,
)
from scipy import stats

SEEDS = 200


def repository(folder: Path) -> Path:
    """A repository with three commits, of which the last two have the same files."""
    folder.mkdir()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
    git(folder, "init", "--quiet")
    for number, content in enumerate(("one", "two", "two")):
        (folder / "file").write_text(content)
        git(folder, "add", "file")
        git(folder, *identity, "commit", "--quiet", "--allow-empty", "-m", f"c{number}")
        git(folder, "tag", f"c{number}")
    return folder


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.parametrize("turns", [1, 2, 7, 8])
def test_every_turn_has_both_and_neither_is_always_first(turns: int) -> None:
    assert abba(4) == [(0, 1), (1, 0), (0, 1), (1, 0)]
    for order in (abba(turns), drawn_order(turns, seed=1)):
        assert [sorted(places) for places in order] == [[0, 1]] * turns
    drawn = [drawn_order(turns, seed=seed) for seed in range(40)]
    assert drawn_order(turns, seed=3) == drawn[3]
    assert {places for order in drawn for places in order} == {(0, 1), (1, 0)}


def test_figures_are_kept_by_revision_whichever_ran_first() -> None:
    called: list[int] = []

    def measure(place: int) -> dict[str, float]:
        called.append(place)
        return {"ms": 10.0 * place + len(called)}

    assert in_turns(abba(2), measure) == [({"ms": 1.0}, {"ms": 12.0}), ({"ms": 4.0}, {"ms": 13.0})]
    assert called == [0, 1, 1, 0]


@pytest.mark.parametrize("n", [5, 9, 15, 25])
def test_the_interval_of_a_median_is_that_of_the_exact_bootstrap(n: int) -> None:
    """The median of n draws is at most the k-th value with P(binomial(n, k / n) > n / 2)."""
    values = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    below = stats.binom.sf(n // 2, n, np.arange(n + 1) / n)
    low, high = (int(np.argmax(below >= share)) for share in (0.025, 0.975))
    margin = min(abs(below[k] - share) for k in range(n) for share in (0.025, 0.975))
    found = median_interval(values.tolist())
    assert found["median"] == (n + 1) / 2
    slack = 1 if margin < 0.005 else 0  # 10,000 draws decide no closer
    assert found["ci95"] == [pytest.approx(low, abs=slack), pytest.approx(high, abs=slack)]


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(SEEDS):
        values = np.random.default_rng(seed).exponential(size=21)
        low, high = median_interval(values.tolist(), seed=seed)["ci95"]
        covered += low <= np.log(2) <= high
    # four standard errors of a share of 0.95 are 0.06, and the bootstrap is slightly narrow
    assert 0.86 <= covered / SEEDS <= 1


def test_drift_of_the_machine_leaves_the_ratio_of_a_turn() -> None:
    turns = [({"ms": load}, {"ms": 0.8 * load}) for load in (10.0, 20.0, 40.0, 15.0, 60.0, 11.0)]
    (row,) = comparison(turns)
    assert row["ratio"] == {"median": pytest.approx(0.8), "ci95": pytest.approx([0.8, 0.8])}
    assert row["a"]["median"] == 17.5
    assert row["a"]["runs"] == [10, 20, 40, 15, 60, 11]
    assert row["a"]["ci95"][0] < row["a"]["median"] < row["a"]["ci95"][1]
    assert verdict(row, same=False) == "B lower"


def test_equal_revisions_seldom_seem_to_differ() -> None:
    different = 0
    for seed in range(SEEDS):
        pairs = np.random.default_rng(seed).lognormal(0, 0.1, (8, 2))
        (row,) = comparison([({"ms": a}, {"ms": b}) for a, b in pairs])
        different += verdict(row, same=False) != "no difference shown"
    assert different / SEEDS < 0.15
    assert verdict(row, same=True) == "noise floor"


def test_what_the_turns_do_not_permit_is_not_said() -> None:
    few = comparison([({"ms": 1.0}, {"ms": 2.0})] * 5)[0]
    assert verdict(few, same=False) == "too few turns"
    assert verdict(comparison([({"ms": 1.0}, {"ms": 2.0})] * 6)[0], same=False) == "B higher"
    none = comparison([({"late": 0.0}, {"late": 2.0})] * 6)[0]
    assert none["ratio"] is None
    assert verdict(none, same=False) == "no ratio"
    assert "–" in line_of({"workload": "demo", **none}, same=False)


def test_a_figure_that_one_revision_lacks_is_left_out() -> None:
    rows = comparison([({"ms": 1.0, "new": 1.0}, {"ms": 2.0}), ({"ms": 1.0}, {"ms": 2.0})])
    assert [row["figure"] for row in rows] == ["ms"]


def test_outputs_are_compared_where_both_have_them() -> None:
    a = {"video": np.full((4, 2), 10.0), "old": np.zeros(3)}
    b = {"video": np.full((5, 2), 10.5), "new": np.zeros(3)}
    assert largest_differences(a, b) == {"video": pytest.approx(0.05)}


def test_worktrees_have_the_files_of_their_revisions_and_are_removed(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    chosen = [revision(name, repo) for name in ("c0", "c1")]
    with worktrees(repo, chosen) as roots:
        assert [(root / "file").read_text() for root in roots] == ["one", "two"]
        assert git(repo, "worktree", "list").count("\n") == 3
    after: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_in_worktrees(repo, chosen, after)
    assert not any(root.parent.exists() for root in (*roots, *after))
    assert git(repo, "worktree", "list").count("\n") == 1


def interrupted_in_worktrees(repo: Path, chosen: list[Revision], seen: list[Path]) -> None:
    with worktrees(repo, chosen) as roots:
        seen += roots
        (roots[0] / "file").write_text("changed")
        (roots[1] / "new").write_text("not known to git")
        raise KeyboardInterrupt


def test_revisions_with_the_same_files_are_equal_and_unknown_ones_are_named(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    c0, c1, c2 = (revision(name, repo) for name in ("c0", "c1", "c2"))
    assert c1.commit != c2.commit
    assert c0.tree != c1.tree == c2.tree
    with pytest.raises(ValueError, match="'c9' is no revision"):
        revision("c9", repo)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["c1", "c2"], "have the same files"),
        (["c1", "c1"], "or --same"),
        (["c0", "c1", "--same"], "name one of them twice"),
        (["c0", "c9"], "is no revision"),
        (["c0", "c1", "--turns", "0"], "must be at least 1"),
        (["c0", "c1", "--only", "flight"], "invalid choice"),
    ],
)
def test_a_comparison_that_says_nothing_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("compare.HERE", repository(tmp_path / "repo"))
    with pytest.raises(SystemExit) as ended:
        asked(words)
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_noise_floor_is_allowed_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.HERE", repository(tmp_path / "repo"))
    given = asked(["c1", "c2", "--same"])
    assert [one.name for one in given.revisions] == ["c1", "c2"]


def test_a_run_ends_with_all_its_processes_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import pathlib, time; pathlib.Path('child').touch(); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    def interrupted(*_: object) -> int:
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    groups: list[int] = []
    killpg = os.killpg
    monkeypatch.setattr(os, "killpg", lambda pid, sig: (groups.append(pid), killpg(pid, sig)))
    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", parent], root=tmp_path, temporary=tmp_path)
    with pytest.raises(ProcessLookupError):
        killpg(groups[0], 0)


@pytest.mark.parametrize("name", ["decoder", "calcium"])
def test_a_workload_computes_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(compare_workloads, "FIELDS", ((96, 10),))
    fields_of_view(tmp_path, small=True)
    figures, outputs = WORKLOADS[name](tmp_path, small=True)
    again, same = WORKLOADS[name](tmp_path, small=True)
    assert figures.keys() == again.keys()
    timed = [value for figure, value in figures.items() if "_p" in figure]
    assert min(timed) > 0
    assert outputs
    assert all(largest == 0 for largest in largest_differences(outputs, same).values())


def test_smoke_figures_are_not_those_of_a_measurement() -> None:
    """Each name states what was measured: 40 neurons of the small form, not 2,000."""
    names = [f"{name}_{count}" for name, count in product(("frame", "step"), (40,))]
    figures, _ = WORKLOADS["decoder"](Path(), small=True)
    assert all(any(figure.startswith(name) for name in names) for figure in figures)


def test_a_smoke_test_replaces_no_result(tmp_path: Path) -> None:
    named = str(tmp_path / "x.json")
    given = {
        words: result_path(asked(["HEAD", "HEAD", "--same", *words]))
        for words in [
            (),
            ("--smoke",),
            ("--only", "wire"),
            ("--json", named),
            ("--smoke", "--json", named),
        ]
    }
    assert [str(path) for path in given.values()] == [
        str(RESULTS / "compare_same.json"),
        "None",
        "None",
        named,
        named,
    ]
