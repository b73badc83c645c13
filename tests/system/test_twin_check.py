"""A twin whose neurons are in another order raises an alarm in the running demo."""

import importlib.resources
import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from live_run import codes, live_page, status_where
from safetensors.torch import load_file, save_file

from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system
NEURONS = 1200
RUN_S = 40.0
"""The run ends here; the test ends it at the alarm."""


def mixed_up(folder: Path) -> Path:
    """A copy of the demo mouse whose twin has the neurons in another order; its config."""
    embedded = importlib.resources.files("rtdecode") / "demo_mouse"
    with importlib.resources.as_file(embedded) as files:
        shutil.copytree(files, folder)
    order = torch.from_numpy(np.random.default_rng(0).permutation(NEURONS))
    weights = load_file(folder / "twin.safetensors")
    for name, tensor in weights.items():
        for axis in (axis for axis, size in enumerate(tensor.shape) if size == NEURONS):
            weights[name] = tensor.index_select(axis, order).contiguous()
    save_file(weights, folder / "twin.safetensors")
    config = yaml.safe_load((folder / "demo.yaml").read_text(encoding="utf-8"))
    config["stimulus"]["display"] = "virtual"
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config | {"seconds": RUN_S}), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_mixed_up_twin_raises_the_alarm_within_forty_seconds(user: Any) -> None:
    config = mixed_up(user.folder / "mouse")
    summary, session = user.folder / "s.json", user.folder / "s"
    with user.running("run", config, "--out", session, "--json", summary) as running:
        address = next(found for line in running.stdout if (found := re.search(r"http\S+", line)))
        with live_page(address.group()) as page:
            status_where(page, lambda status: "twin_mismatch" in codes(status["alarms"]))
        running.send_signal(signal.SIGINT)
        told = running.communicate()[0]
    assert running.returncode == 0, told
    results = [
        item.message.body
        for item in LogReader(session_at(session).log).messages()
        if isinstance(item.message.body, ResponsePrediction)
    ]
    judged = [one for one in results if Verdict(one.verdict).is_given]
    assert {one.verdict for one in judged} == {Verdict.MISMATCH}
    assert all(abs(one.r) < 0.1 < one.r_training for one in judged)
    alarms = [
        event
        for event in json.loads(summary.read_text())["events"]
        if event["code"] == "twin_mismatch"
    ]
    assert [event["severity"] for event in alarms] == ["alarm"]
    assert "ROIs of another day" in told
    assert user.left_running() == []
