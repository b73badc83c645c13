"""Tables of trials: the CSV is what PsychoPy writes, the events are what BIDS prescribes."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rtdecode.report.trial_tables import (
    CSV,
    SIDECAR,
    TSV,
    events_sidecar,
    events_tsv,
    wide_csv,
    write_trial_tables,
)
from rtdecode.schema.config.protocol import Block, DriftingGrating, Protocol, SparseNoise
from rtdecode.schema.control import Trial
from rtdecode.schema.errors import FileWriteError
from rtdecode.schema.planned_trials import planned_trials

FIRST_NS = 7_000_000_000

BY_PSYCHOPY = """
import json, sys
from psychopy import data, logging
logging.console.setLevel(logging.ERROR)
rows, file = json.load(sys.stdin), sys.argv[1]
quiet = {"savePickle": False, "saveWideText": False}
experiment = data.ExperimentHandler(extraInfo={"session": "S, 1"}, **quiet)
for block in dict.fromkeys(row["block"] for row in rows):
    own = [row for row in rows if row["block"] == block]
    conditions = []
    for row in own:
        if row["parameters"] not in conditions:
            conditions.append(row["parameters"])
    repeats = len(own) // len(conditions)
    loop = data.TrialHandler2(conditions, nReps=repeats, method="sequential", name=block)
    experiment.addLoop(loop)
    for _, row in zip(loop, own):
        for name, value in row["data"].items():
            experiment.addData(name, value)
        experiment.nextEntry()
experiment.saveAsWideText(file, delim=",")
"""


def trials_of(protocol: Protocol) -> list[Trial]:
    made = []
    for planned in planned_trials(protocol):
        start_ns = FIRST_NS + 1_500_000_000 * planned.number + 123_456_789
        made.append(
            Trial(
                number=planned.number,
                block=planned.block,
                stimulus=planned.name,
                parameters=dict(planned.parameters),
                t_start_ns=start_ns,
                t_end_ns=start_ns + 1_000_000_000,
                n_frames=30,
            )
        )
    return made


@pytest.fixture
def trials() -> list[Trial]:
    grating = DriftingGrating(
        vary={"orientation_deg": (0, 45.5, 90)}, spatial_cpd=0.04, temporal_hz=2, duration_s=1
    )
    noise = SparseNoise(spot_deg=9, frame_s=0.1, duration_s=1, name="spots, sparse")
    return trials_of(
        Protocol(
            blocks=(
                Block(name="directions", stimuli=(grating,), repeats=2),
                Block(stimuli=(noise,), repeats=3),
            )
        )
    )


def by_psychopy(trials: list[Trial], folder: Path) -> str:
    rows = [
        {
            "block": trial.block,
            "parameters": trial.parameters,
            "data": {
                "thisRow.t": round((trial.t_start_ns - FIRST_NS) / 1e9, 6),
                "stimulus.started": round((trial.t_start_ns - FIRST_NS) / 1e9, 6),
                "stimulus.stopped": round((trial.t_end_ns - FIRST_NS) / 1e9, 6),
                "stimulus": trial.stimulus,
                "block": trial.block,
                "trial": trial.number,
                "n_frames": trial.n_frames,
                "cause": trial.cause,
            },
        }
        for trial in trials
    ]
    # PsychoPy writes its preferences to HOME, and runs in a process of its own
    subprocess.run(
        [sys.executable, "-c", BY_PSYCHOPY, str(folder / "psychopy.csv")],
        input=json.dumps(rows),
        env=os.environ | {"HOME": str(folder), "PSYCHOPYNOPACKAGES": "1"},
        text=True,
        check=True,
        capture_output=True,
    )
    return (folder / "psychopy.csv").read_text(encoding="utf-8-sig")


def test_the_csv_is_the_file_that_psychopy_writes(trials: list[Trial], tmp_path: Path) -> None:
    pytest.importorskip("psychopy")
    ours = wide_csv(trials, first_ns=FIRST_NS, session="S, 1")
    assert ours.splitlines() == by_psychopy(trials, tmp_path).splitlines()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_repeats_and_conditions_are_counted_within_their_block(trials: list[Trial]) -> None:
    rows = table(wide_csv(trials, first_ns=FIRST_NS, session="S"))
    counted = [
        [row[f"directions.{name}"] for name in ("thisRepN", "thisTrialN", "thisN", "thisIndex")]
        for row in rows
    ]
    assert counted[:4] == [list("0000"), list("0111"), list("0222"), list("1030")]
    assert counted[6:] == [[""] * 4] * 3
    assert [row["block 1.thisRepN"] for row in rows[6:]] == ["0", "1", "2"]
    assert [row["spot_deg"] for row in rows] == [""] * 6 + ["9.0"] * 3


def test_events_are_a_table_of_bids_with_a_sidecar_for_each_column(trials: list[Trial]) -> None:
    lines = [line.split("\t") for line in events_tsv(trials, first_ns=FIRST_NS).splitlines()]
    head, rows = lines[0], [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert head[:3] == ["onset", "duration", "trial_type"]
    assert len(set(head)) == len(head)
    onsets = [float(row["onset"]) for row in rows]
    assert onsets == sorted(onsets)
    assert onsets[1] == pytest.approx(1.623457)
    assert {float(row["duration"]) for row in rows} == {1.0}
    assert rows[0]["orientation_deg"] == "0.0"
    assert rows[0]["spot_deg"] == rows[8]["orientation_deg"] == "n/a"
    assert all(all(row.values()) for row in rows)
    sidecar = events_sidecar(trials)
    assert list(sidecar) == head
    assert all(column["Description"] for column in sidecar.values())
    units = {name: column.get("Units") for name, column in sidecar.items()}
    assert (units["onset"], units["spatial_cpd"], units["frame_s"]) == ("s", "1/deg", "s")
    assert units["contrast"] is None
    assert "cycles per degree" in sidecar["spatial_cpd"]["Description"]


def test_names_cannot_break_the_tables(trials: list[Trial]) -> None:
    odd: dict[str, Any] = {"stimulus": 'a "b",\tc\nd', "block": "x"}
    trial = Trial(0, **odd, parameters={}, t_start_ns=FIRST_NS, t_end_ns=FIRST_NS, n_frames=1)
    (row,) = table(wide_csv([trial], first_ns=FIRST_NS, session="S"))
    assert row["stimulus"] == odd["stimulus"]
    assert len(events_tsv([trial], first_ns=FIRST_NS).splitlines()) == 2


def test_all_three_files_are_written(trials: list[Trial], tmp_path: Path) -> None:
    write_trial_tables(tmp_path, trials, first_ns=FIRST_NS, session="S")
    assert (tmp_path / CSV).read_bytes().startswith(b"\xef\xbb\xbfduration_s,")
    assert len((tmp_path / TSV).read_text().splitlines()) == 10
    assert json.loads((tmp_path / SIDECAR).read_text())["onset"]["Units"] == "s"


def test_a_full_disk_is_named(
    trials: list[Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object, **_named: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(FileWriteError, match=r"trials\.csv"):
        write_trial_tables(tmp_path, trials, first_ns=FIRST_NS, session="S")
