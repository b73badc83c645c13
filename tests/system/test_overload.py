"""A decoder whose configured work cannot fit sheds it, states that, and keeps giving frames."""

import importlib.resources
import json
import shutil
from typing import Any

import pytest
import yaml

from rtdecode.schema.messages import Reconstruction
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system
STEPS = 1000
"""Far more than a deadline of 30 ms permits on any machine."""


@pytest.mark.slow
def test_work_that_cannot_fit_is_shed_and_stated(user: Any) -> None:
    folder = user.folder / "mouse"
    embedded = importlib.resources.files("rtdecode") / "demo_mouse"
    with importlib.resources.as_file(embedded) as files:
        shutil.copytree(files, folder)
    config = yaml.safe_load((folder / "demo.yaml").read_text(encoding="utf-8"))
    config["stimulus"]["display"] = "virtual"
    config["decode"]["steps"] = STEPS
    config["processes"] = ["recorder", "stimulus", "bridge", "decoder"]
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config | {"seconds": 10.0}), encoding="utf-8")
    summary, session = user.folder / "s.json", user.folder / "s"
    told = user.told("run", path, "--out", session, "--json", summary)
    assert told.returncode == 0, told.stdout + told.stderr
    found = json.loads(summary.read_text())
    shed = [event for event in found["events"] if event["code"] == "steps_shed"]
    assert shed[0]["process"] == "decoder"
    assert shed[0]["severity"] == "info"
    assert shed[0]["counts"]["steps"] >= STEPS / 2
    assert found["frames_with_fewer_steps"] == found["frames_out"] > 0
    assert found["scans_not_decoded"] == 0
    assert "the work took longer than the frames: an estimation was reduced to" in told.stdout
    frames = [
        item.message.body
        for item in LogReader(session_at(session).log).messages()
        if isinstance(item.message.body, Reconstruction)
    ]
    assert sum(frame.frames_shed for frame in frames) == found["frames_shed"]
    assert found["frames_shed"] <= found["frames_not_decoded"]
