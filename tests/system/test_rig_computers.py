"""Bridge and screen on their own computers, where only `pip install rtdecode` was called.

The second of these computers has Windows, as `tests/fixtures/as_windows` describes it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import base_install
import numpy as np
import pytest
import tifffile
import yaml
from free_ports import first_free_port

from rtdecode.cli import VERBS
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.messages import DisplayedFrame

pytestmark = pytest.mark.system

AS_WINDOWS = str(Path(base_install.__file__).with_name("as_windows"))
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
AS_INSTALLED = [sys.executable, "-X", "warn_default_encoding", base_install.__file__]
Running = subprocess.Popen[str]
CTRL_BREAK = signal.SIGUSR2
"""What stands for it in `as_windows`."""


def environment(user: Any, system: str) -> dict[str, str]:
    """Environment of a program on a computer with `system`."""
    if system == "linux":
        return dict(user.environment)
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [AS_WINDOWS, before]))
    return user.environment | {"PYTHONPATH": path, "TMPDIR": str(user.folder)}


@contextmanager
def started(
    user: Any, module: str, config: Path, *, system: str, program: Sequence[str] = AS_INSTALLED
) -> Iterator[Running]:
    """`python -m MODULE CONFIG` on such a computer."""
    with subprocess.Popen(
        [*program, module, str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(user, system),
        cwd=user.folder,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: Running) -> None:
    """Wait for the end of `process`, which must have no error."""
    errors = process.communicate()[1]
    assert process.returncode == 0, errors


def rig_config(user: Any) -> Path:
    """A recorder here, and bridge and screen on computers that reach it over TCP."""
    (user.folder / "protocol.yaml").write_text(GRATING)
    tifffile.imwrite(user.folder / "scans.tif", SCANS, photometric="minisblack")
    first = first_free_port(["127.0.0.1"], 2)
    recorder, screen = (f"tcp://127.0.0.1:{port}" for port in (first, first + 1))
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
            "stimulus": screen,
        },
    )
    return config


@contextmanager
def recorded(user: Any) -> Iterator[tuple[Path, dict[str, int]]]:
    """The config of a run whose recorder runs in the block, and its messages by stream after it."""
    config, counted = rig_config(user), dict[str, int]()
    with user.running("run", config, "--json", "summary.json") as recorder:
        wait_for_line(recorder, "recorder: running")
        yield config, counted
        recorder.send_signal(signal.SIGINT)
        told = recorder.communicate()[0]
    assert "no message was lost" in told
    summary = json.loads((user.folder / "summary.json").read_text())
    assert summary["lost_messages"] == 0
    counted |= summary["messages"]


def wait_for_line(running: Running, words: str) -> None:
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


@pytest.mark.parametrize("system", [pytest.param("linux", marks=pytest.mark.long), "windows"])
def test_bridge_and_screen_run_without_the_packages_of_the_decoder(user: Any, system: str) -> None:
    with recorded(user) as (config, counted):
        with (
            started(user, "acquisition_bridge", config, system=system) as bridge,
            started(user, "stimulus", config, system=system) as screen,
        ):
            ended(bridge)
            ended(screen)
    assert counted["bridge/scan"] == N_SCANS
    assert counted["stimulus/displayed_frame"] == N_FRAMES
    assert user.left_running() == []


def test_a_closed_console_of_windows_ends_the_screen_with_its_last_messages(user: Any) -> None:
    with recorded(user) as (config, counted):
        protocol = user.folder / "protocol.yaml"
        protocol.write_text(GRATING.replace("duration_s: 1.0", "duration_s: 500.0"))
        with started(user, "stimulus", config, system="windows") as screen:
            wait_for_frames(config)
            screen.send_signal(CTRL_BREAK)
            ended(screen)
    assert counted["stimulus/end"] == 1


def test_computers_with_windows_join_a_run(user: Any) -> None:
    rig_config(user)
    config = joined_config(user)
    with user.running("run", config, "--json", "summary.json") as decoder:
        wait_for_line(decoder, "recording into")
        with (
            joining(user, "microscope", config) as microscope,
            joining(user, "screen", config) as screen,
        ):
            told = decoder.communicate()[0]
            ended(microscope)
            ended(screen)
    assert decoder.returncode == 0, told
    summary = json.loads((user.folder / "summary.json").read_text())
    assert summary["lost_messages"] == 0
    assert summary["messages"]["bridge/scan"] == N_SCANS
    assert summary["messages"]["stimulus/displayed_frame"] > 0
    assert user.left_running() == []


def joined_config(user: Any) -> Path:
    """The same rig as three hosts, whose processes join the run."""
    sections = yaml.safe_load((user.folder / "run.yaml").read_text())
    addresses = {"decoder": "127.0.0.1", "microscope": "127.0.0.2", "screen": "127.0.0.3"}
    hosts: dict[str, dict[str, Any]] = {name: {"address": one} for name, one in addresses.items()}
    hosts["microscope"]["processes"], hosts["screen"]["processes"] = ["bridge"], ["stimulus"]
    first_port = first_free_port([*addresses.values()], 14)
    sections["processes"] = ["recorder", "bridge", "stimulus"]
    config: Path = user.config(**sections | {"network": {"hosts": hosts, "first_port": first_port}})
    return config


@contextmanager
def joining(user: Any, host: str, config: Path) -> Iterator[Running]:
    """`rtdecode join` on a computer with Windows, in a folder of its own."""
    folder = user.folder / host
    folder.mkdir()
    for name in (config.name, "protocol.yaml", "scans.tif"):
        shutil.copy(user.folder / name, folder)
    with subprocess.Popen(
        [*AS_INSTALLED, "rtdecode", "join", config.name, "--host", host],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(user, "windows"),
        cwd=folder,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_frames(config: Path) -> None:
    """Until the screen has displayed a frame."""
    endpoint = yaml.safe_load(config.read_text())["network"]["stimulus"]
    with Messaging() as messaging:
        inlet = Subscriber(
            messaging, clock=HostClock(), endpoints=[endpoint], kinds=[DisplayedFrame], queue=100
        )
        while not any(isinstance(one.message.body, DisplayedFrame) for one in inlet.take(1.0)):
            pass


def test_every_verb_can_be_imported_on_windows_and_prints_in_its_code_page(user: Any) -> None:
    modules = sorted({f"rtdecode.commands.{line.module}" for line in VERBS})
    script = f"import {', '.join(modules)}, sys; sys.argv[1:] = ['--help']; "
    script += "from rtdecode.__main__ import main; main()"
    env = environment(user, "windows") | {"PYTHONIOENCODING": "cp1252"}
    argv = [sys.executable, "-c", script]
    told = subprocess.run(argv, capture_output=True, encoding="cp1252", check=False, env=env)
    assert told.returncode == 0, told.stderr
    assert "Run the whole live loop" in told.stdout


def test_everything_that_windows_lacks_is_hidden_from_this_project_alone(user: Any) -> None:
    script = """
import os, zmq, importlib.util
def run(text):
    scope = {"__spec__": importlib.util.spec_from_loader("rtdecode.crime", None)}
    scope["__name__"] = "rtdecode.crime"
    try:
        exec(text, scope)
    except Exception as error:
        return type(error).__name__
    return "permitted"
for line in LINES:
    print(line, "->", run(line))
exec("import fcntl; from os import fork")
"""
    lines = [
        "import fcntl",
        "import resource",
        "import pwd",
        "import termios",
        "from os import sched_setaffinity",
        "import os; os.fork",
        "import signal; signal.SIGHUP",
        "import socket; socket.AF_UNIX",
        "import time; time.clock_gettime",
        "import zmq; zmq.Context().socket(zmq.PUB).bind('ipc://x')",
        "import subprocess; subprocess.Popen(['true'], start_new_session=True)",
        "import tempfile; tempfile.mkdtemp(dir='/tmp')",
        "open('a:b', 'w', encoding='ascii')",
        "import os; file = open('a', 'w', encoding='ascii'); os.remove('a')",
        "open('c', 'w')",
    ]
    argv = [sys.executable, "-X", "warn_default_encoding", "-c", f"LINES = {lines!r}\n{script}"]
    told = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        env=environment(user, "windows"),
        cwd=user.folder,
    )
    assert told.returncode == 0, told.stderr
    permitted = [line for line in told.stdout.splitlines() if line.endswith("permitted")]
    assert permitted == []
    assert len(told.stdout.splitlines()) == len(lines)


@pytest.fixture(scope="module")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment, in which the wheel of this checkout was installed."""
    folder = tmp_path_factory.mktemp("rig")
    source, root = folder / "source", Path(base_install.PROJECT).parent
    for name in (*base_install.OWN, "pyproject.toml", "README.md", "LICENSE"):
        copied = shutil.copytree if (root / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copied(root / name, source / name)
    made = folder / "venv" / "bin" / "python"
    wheels = folder / "dist"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [str(made), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = [*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(source)]
    for argv in (built, [*pip, "install", str(wheels / "rtdecode-0.1.0-py3-none-any.whl")]):
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
        if told.returncode and "No matching distribution" in told.stderr:
            pytest.skip(f"no package index can be reached: {told.stderr.splitlines()[-1]}")
        assert told.returncode == 0, told.stderr
    return made


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_new_environment_with_the_wheel_alone_runs_both_rigs(
    user: Any, new_environment: Path
) -> None:
    user.environment.pop("PYTHONPATH", None)  # a checkout that is tested by its path
    listed = subprocess.run(
        [new_environment, "-m", "pip", "list", "--format", "json"],
        capture_output=True,
        check=True,
    )
    packages = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert "pyzmq" in packages
    assert not packages & {"torch", "numba", "scipy", "matplotlib", "scikit-image", "mcap"}
    program = [str(new_environment), "-m"]
    with recorded(user) as (config, counted):
        with (
            started(user, "acquisition_bridge", config, system="linux", program=program) as bridge,
            started(user, "stimulus", config, system="linux", program=program) as screen,
        ):
            ended(bridge)
            ended(screen)
    assert counted["bridge/scan"] == N_SCANS
    assert counted["stimulus/displayed_frame"] == N_FRAMES


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("verb", "code"), [("--help", 0), ("join", 0), ("keys", 0), ("bench", 2)])
def test_its_command_has_what_a_rig_computer_needs(
    new_environment: Path, verb: str, code: int, tmp_path: Path
) -> None:
    argv = [new_environment.with_name("rtdecode"), verb, "--help"]
    told = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=tmp_path, env={"COLUMNS": "100"}
    )
    assert told.returncode == code
    assert ("rtdecode[decoder]" in told.stderr) == bool(code)
