"""`rtdecode check --photodiode` on a session whose window a photodiode outside of it watched."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from virtual_photodiode import cell_probes, compared, virtual_photodiode

from rtdecode.pipeline.photodiode import patch_flips
from rtdecode.schema.messages import DisplayedFrame
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader
from stimulus.xvfb import VirtualDisplay

pytestmark = pytest.mark.system

GEOMETRY = {"distance_cm": 15.0, "width_cm": 50.0}
CONFIG = """# room 3
processes: [recorder, stimulus]
seconds: 8
stimulus:
  # the old monitor
  embedded_clips: 2
  clip_s: 2
"""


def told(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `rtdecode WORDS` said."""
    argv = [sys.executable, "-m", "rtdecode", *map(str, words)]
    env = os.environ | environment
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=env)


class Watched(NamedTuple):
    """A recorded session, and what the photodiode saw of it."""

    folder: Path
    config: Path
    trace: NDArray[np.int64]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A session of 8 s; its frames are also compared with the log."""
    folder = tmp_path_factory.mktemp("watched")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    probes, cells = cell_probes("none", **GEOMETRY)
    with virtual_photodiode(folder, probes) as photodiode:
        said = told("run", config, "--out", folder / "session", DISPLAY=photodiode.display)
        assert said.returncode == 0, said.stderr
        seen = photodiode.seen()
    log = LogReader(session_at(folder / "session").log)
    stream = log.messages(lambda name: name.endswith("/displayed_frame"))
    bodies = [one.message.body for one in stream]
    displayed = [body for body in bodies if isinstance(body, DisplayedFrame)]
    comparison = compared(seen, displayed, cells)
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    return Watched(folder, config, seen.trace)


def written_trace(watched: Watched, *, later_ms: float) -> Path:
    before, after, level = watched.trace.T
    t_ns = (before + after) // 2 + round(later_ms * 1e6)
    rows = "\n".join(f"{t},{value}" for t, value in zip(t_ns, level, strict=True))
    path = watched.folder / f"trace{later_ms:g}.csv"
    path.write_text(f"host_ns,level\n{rows}\n")
    return path


def median_ms(said: str) -> float:
    found = re.search(r"Light delay: median (-?[\d.]+) ms, SD [\d.]+ ms", said)
    assert found, said
    return float(found[1])


def test_light_that_is_delayed_is_found_and_its_delay_written(watched: Watched) -> None:
    folder, config = watched.folder, watched.config
    options = ("--session", folder / "session", "--photodiode")
    as_seen = told("check", config, *options, written_trace(watched, later_ms=0))
    delayed = told("check", config, *options, written_trace(watched, later_ms=12.5))
    assert (as_seen.returncode, delayed.returncode) == (0, 0), as_seen.stderr + delayed.stderr
    difference = median_ms(delayed.stdout) - median_ms(as_seen.stdout)
    assert difference == pytest.approx(12.5, abs=0.011)
    line = f"  light_delay_ms: {median_ms(delayed.stdout):g}\n"
    assert line in delayed.stdout
    assert config.read_text() == CONFIG.replace("  embedded_clips", f"{line}  embedded_clips")


def test_levels_without_times_give_the_spread_and_write_nothing(watched: Watched) -> None:
    folder, config = watched.folder, watched.config
    before = config.read_text()
    t_ns = watched.trace[:, 0]
    regular = np.arange(t_ns[0], t_ns[-1], 500_000)
    np.save(folder / "trace.npy", np.interp(regular, t_ns, watched.trace[:, 2]))
    options = ("--photodiode", folder / "trace.npy", "--rate-hz", 2000)
    said = told("check", config, *options, "--session", folder / "session")
    assert said.returncode == 0, said.stderr
    assert "The delay itself is unknown" in said.stdout
    assert config.read_text() == before
    alone = told("check", config, *options)
    assert alone.returncode == 2
    assert "--session is needed for a trace that is already recorded" in alone.stderr


SENDER = """
import sys
import time
from pathlib import Path
import numpy as np
from frame_buffer import frame_buffer
from mne_lsl import lsl
folder, name = Path(sys.argv[1]), sys.argv[2]
screen = frame_buffer(folder / "Xvfb_screen0")
outlet = lsl.StreamOutlet(lsl.StreamInfo(name, "misc", 1, 0.0, "float32", name))
sys.stdout.write("sending\\n")
sys.stdout.flush()
while True:
    outlet.push_sample(np.array([screen[340, 620, 0]], np.float32), time.monotonic())
    time.sleep(0.001)
"""
"""Sends the level of the patch as an LSL stream."""


@pytest.mark.long
def test_a_stream_of_lsl_is_recorded_beside_a_run_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("mne_lsl")
    config, fixtures = tmp_path / "config.yaml", Path(__file__).parents[1] / "fixtures"
    config.write_text(f"record: {{folder: {tmp_path}}}\nstimulus: {{clip_s: 2}}\n")
    name = f"photodiode {os.getpid()}"
    path = os.pathsep.join([str(fixtures), os.environ.get("PYTHONPATH", "")])
    with VirtualDisplay((640, 360), framebuffer=tmp_path) as display:
        argv = [sys.executable, "-c", SENDER, str(tmp_path), name]
        environment = os.environ | {"PYTHONPATH": path}
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as sender:
            try:
                assert sender.stdout is not None
                while sender.stdout.readline() not in (b"sending\n", b""):
                    pass
                options = ("--photodiode", f"lsl:{name}", "--seconds", 12)
                said = told("check", config, *options, DISPLAY=display.name)
            finally:
                sender.kill()
    assert said.returncode == 0, said.stderr
    # the frame that was displayed, and no other one
    assert abs(median_ms(said.stdout)) < 16
    assert "stimulus: {light_delay_ms: " in config.read_text()


def test_the_flips_of_the_log_are_those_before_the_light_delay(watched: Watched) -> None:
    flips = patch_flips(session_at(watched.folder / "session"))
    assert len(flips.t_ns) == len(flips.white) > 0
    assert (np.diff(flips.t_ns) > 0).all()
