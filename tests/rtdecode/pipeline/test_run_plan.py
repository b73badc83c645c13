"""What `rtdecode check` says is what the config has, for each kind of run."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rtdecode.demo.config import demo_config
from rtdecode.pipeline.run_plan import run_plan
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config.stimulus import Display

PLACE = {"path": "scans"}
SOURCES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "simulated"}, "the simulated one, 256 x 256 px with 1,200 neurons at 15 scans/s"),
    ({"kind": "raw_movie"}, "the recorded movie that --movie names at 30 scans/s"),
    ({"kind": "raw_movie", "speed": 4}, "names at 30 scans/s, 4 times as fast"),
    ({"kind": "scanimage_tcp"}, "ScanImage at 127.0.0.1:55004 at 30 scans/s"),
    ({"kind": "scanbox_mmap", **PLACE}, "Scanbox, through its file"),
    ({"kind": "raw_tail", **PLACE, "rows_px": 8, "cols_px": 8, "scan_rate_hz": 9}, "as it grows"),
    ({"kind": "prairie_raw", "rows_px": 8, "cols_px": 8}, "PrairieView at 127.0.0.1:1237"),
    ({"kind": "tiff_tail", **PLACE}, "as they are written"),
    ({"kind": "zmq_native"}, "a program that sends scans to tcp://127.0.0.1:5710"),
    ({"kind": "lsl_rois", "stream": "cells"}, "ROI values of the LSL stream cells"),
]


def plan_of(folder: Path, **sections: Any) -> str:
    (folder / "run.yaml").write_text(yaml.safe_dump(sections))
    return "\n".join(run_plan(read_config(folder / "run.yaml"), folder=folder))


@pytest.mark.parametrize(("source", "said"), SOURCES)
def test_every_microscope_has_its_sentence(
    source: dict[str, Any], said: str, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, decode=None, acquisition={"source": source})
    [line] = (line for line in plan.splitlines() if line.startswith("Microscope: "))
    assert said in line
    assert "Decoder: none (decode: null)" in plan


def test_the_twin_of_the_demo_is_stated_with_its_training(tmp_path: Path) -> None:
    config = demo_config(seconds=60, display=Display.VIRTUAL, clips=None)
    plan = "\n".join(run_plan(config, folder=tmp_path))
    for part in ("1,200 neurons", "single-trial r 0.", "lag 4 frames (133 ms), 5 steps a frame"):
        assert part in plan
    assert "states no animal id, no experimenter, no protocol" in plan
    assert f"into a new folder in {tmp_path}" in plan
    assert "Length: 60 s" in plan


def test_animal_and_protocol_are_repeated(tmp_path: Path) -> None:
    session = {"animal": {"id": "M7"}, "experimenter": ["Doe, Jane"], "protocol": "P-12"}
    plan = plan_of(tmp_path, session=session, decode=None)
    assert "Session: animal id M7; experimenter Doe, Jane; protocol P-12." in plan
