"""Bridge and screen on their own computers, where only `pip install rtdecode` was called."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import base_install
import numpy as np
import pytest
import tifffile

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

N_SCANS, N_FRAMES, RATE_HZ = 40, 60, 30.0
SCANS = np.random.default_rng(0).integers(0, 4000, (N_SCANS, 16, 16)).astype(np.uint16)
GRATING = """
blocks:
  - name: directions
    stimuli:
      - kind: drifting_grating
        vary: {orientation_deg: [0, 90]}
        spatial_cpd: 0.04
        temporal_hz: 2.0
        duration_s: 1.0
"""
AS_INSTALLED = [sys.executable, base_install.__file__]


def rig_config(user: Any) -> Path:
    """A recorder here, and bridge and screen on computers that reach it over TCP."""
    (user.folder / "protocol.yaml").write_text(GRATING)
    tifffile.imwrite(user.folder / "scans.tif", SCANS, photometric="minisblack")
    with socket.create_server(("127.0.0.1", 0)) as door:
        recorder = f"tcp://127.0.0.1:{door.getsockname()[1]}"
    source = {"kind": "raw_movie", "path": "scans.tif", "scan_rate_hz": 100.0, "speed": 4.0}
    config: Path = user.config(
        processes=["recorder"],
        frame_rate_hz=RATE_HZ,
        acquisition={"source": source},
        decode=None,
        stimulus={
            "presenter": "headless",
            "protocol": "protocol.yaml",
            "monitor": {"distance_cm": 15.0, "width_cm": 48.0},
        },
        network={
            "recorder": recorder,
            "bridge": "tcp://127.0.0.1:*",
            "stimulus": "tcp://127.0.0.1:*",
        },
    )
    return config


def recorded_from(user: Any, program: list[str]) -> dict[str, int]:
    """Messages of the log by stream, once both rigs, which `program` runs, have ended."""
    config = rig_config(user)
    with user.running("run", config, "--json", "summary.json") as recorder:
        wait_for_line(recorder, "recorder: running")
        rigs = [
            subprocess.Popen([*program, module, str(config)], stderr=subprocess.PIPE, text=True)
            for module in ("acquisition_bridge", "stimulus")
        ]
        ended = [(rig.communicate()[1], rig.returncode) for rig in rigs]
        recorder.send_signal(signal.SIGINT)
        told = recorder.communicate()[0]
    assert [code for _, code in ended] == [0, 0], ended
    assert "no message was lost" in told
    summary = json.loads((user.folder / "summary.json").read_text())
    assert summary["lost_messages"] == 0
    counted: dict[str, int] = summary["messages"]
    return counted


def wait_for_line(running: "subprocess.Popen[str]", words: str) -> None:
    assert running.stdout is not None
    said = []
    for line in running.stdout:
        said.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words}: {''.join(said)}")


@pytest.mark.parametrize(
    ("sections", "module", "package"),
    [
        ({"acquisition": {"source": {"kind": "simulated"}}}, "acquisition_bridge", "numba"),
        ({"stimulus": {"presenter": "headless"}}, "stimulus", "scikit-image"),
    ],
)
def test_a_simulation_names_the_extra_that_it_needs(
    user: Any, sections: dict[str, Any], module: str, package: str
) -> None:
    config = user.config(network={"bridge": "tcp://127.0.0.1:*"}, **sections)
    argv = [*AS_INSTALLED, module, str(config)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert f'{package} is not installed: run `pip install "rtdecode[simulation]"`' in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("verb", [("run", "run.yaml"), ("demo",), ("bench", "wire")])
def test_a_verb_of_the_decoder_names_the_extra_that_it_needs(
    user: Any, verb: tuple[str, ...]
) -> None:
    user.config()
    argv = [*AS_INSTALLED, "rtdecode", *verb]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=user.folder)
    assert told.returncode == 2
    assert 'is not installed: run `pip install "rtdecode[decoder]"`' in told.stderr
    assert "Traceback" not in told.stderr


def test_bridge_and_screen_run_without_the_packages_of_the_decoder(user: Any) -> None:
    counted = recorded_from(user, AS_INSTALLED)
    assert counted["bridge/scan"] == N_SCANS
    assert counted["stimulus/displayed_frame"] == N_FRAMES
    assert user.left_running() == []
