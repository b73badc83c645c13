"""A protocol from its Python file to the tables of its trials, in real processes."""

import csv
from itertools import groupby
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.control import Trial
from rtdecode.schema.messages import DisplayedFrame
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

PROTOCOL = """
from random import random

marks = [{"kind": "blank", "duration_s": 0.1, "grey": int(255 * random())}]
gratings = {"kind": "drifting_grating", "spatial_cpd": 0.05, "temporal_hz": 2, "duration_s": 0.2}
vary = {"orientation_deg": [0, 120, 240]}
protocol = [
    {"name": "mark", "stimuli": marks},
    {"name": "directions", "order": "random", "repeats": 2, "interval_s": 0.1,
     "stimuli": [gratings | {"vary": vary}]},
]
"""


def test_a_run_displays_its_protocol_and_writes_the_tables_of_its_trials(tmp_path: Path) -> None:
    (tmp_path / "protocol.py").write_text(PROTOCOL)
    config = {
        "processes": ["recorder", "stimulus"],
        "decode": None,
        "stimulus": {
            "presenter": "headless",
            "protocol": "protocol.py",
            "monitor": {"distance_cm": 15.0, "width_cm": 48.0},
        },
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    asked = ["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "session")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    session = session_at(tmp_path / "session")
    bodies = [item.message.body for item in LogReader(session.log).messages()]
    displayed = [body for body in bodies if isinstance(body, DisplayedFrame)]
    trials = [body for body in bodies if isinstance(body, Trial)]
    assert [trial.number for trial in trials] == list(range(7))
    segments = [list(group) for _, group in groupby(displayed, lambda frame: frame.clip)]
    shown = [segment for segment in segments if segment[0].clip != "interval"]
    assert [trial.t_start_ns for trial in trials] == [one[0].t_flip_ns for one in shown]
    assert [trial.n_frames for trial in trials] == [3] + [6] * 6
    table = (session.report / "trials.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["orientation_deg"] for row in rows[1:]] == [
        str(trial.parameters["orientation_deg"]) for trial in trials[1:]
    ]
    events = (session.report / "events.tsv").read_text().splitlines()
    assert len(events) == 8
    # the session has the protocol as it was displayed, though the file draws another grey each time
    kept = read_config(session.config)
    assert kept.stimulus.protocol == session.protocol
    level = int(trials[0].parameters["grey"])
    assert yaml.safe_load(session.protocol.read_text())["blocks"][0]["stimuli"][0]["grey"] == level
    assert int(shown[0][0].luminance.mean()) == level
