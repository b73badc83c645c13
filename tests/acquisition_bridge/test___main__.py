"""The command: real processes and sockets, every scan recorded once."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Collector
from rtdecode.schema.messages import Body, End, Scan, Start

SCANS = np.random.default_rng(0).integers(0, 4000, (40, 16, 16)).astype(np.uint16)


def command(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "acquisition_bridge", str(config), *options]


def written_config(folder: Path, **network: str) -> Path:
    path = folder / "config.yaml"
    source = {"kind": "raw_movie", "scan_rate_hz": 100.0, "speed": 4.0}
    content = {"acquisition": {"source": source}, "network": network}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.system
def test_every_scan_of_a_movie_reaches_the_recorder_once(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", SCANS, photometric="minisblack")
    record, publish = f"ipc://{tmp_path}/r", f"ipc://{tmp_path}/b"
    config = written_config(tmp_path, recorder=record, bridge=publish)
    bodies: list[Body] = []
    with Messaging() as messaging:
        collector = Collector(messaging, clock=HostClock(), endpoint=record, queue=1000)
        with subprocess.Popen(command(config, "--movie", str(tmp_path / "m.tif"))) as child:
            while not any(isinstance(body, End) for body in bodies) and child.poll() in (None, 0):
                bodies.extend(received.message.body for _, received in collector.take(5.0))
            assert child.wait(60) == 0
    scans = [body for body in bodies if isinstance(body, Scan)]
    assert isinstance(bodies[0], Start)
    assert [scan.number for scan in scans] == list(range(40))
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], SCANS)
    end = bodies[-1]
    assert isinstance(end, End)
    assert end.last_seq["scan"] == 39


@pytest.mark.system
@pytest.mark.parametrize(
    ("movie", "network", "says"),
    [
        (["--movie", "nowhere.tif"], {"bridge": "ipc://@x"}, "nowhere.tif does not exist"),
        ([], {"bridge": "ipc://@x"}, "no movie is given"),
        ([], {"recorder": "ipc://@x"}, "network.bridge is empty"),
        (["--movie", "nowhere.tif"], {}, "nowhere.tif does not exist"),
    ],
)
def test_bad_input_is_named_and_exits_with_2(
    tmp_path: Path, movie: list[str], network: dict[str, str], says: str
) -> None:
    config = written_config(tmp_path, **network)
    done = subprocess.run(command(config, *movie), capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
