"""Runs and commands on a small file system that becomes full; needs the right to mount one."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from io import SEEK_END
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from shown_run import write_shown_run

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.schema.errors import LogFullError
from rtdecode.schema.messages import Event, Scan, Stamped
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

pytestmark = pytest.mark.system
SIDE_PX, SCANS = 64, 3000
MOUNT = shutil.which("mount")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The mount point of a file system of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if MOUNT is None:
        pytest.skip("there is no mount command")
    command = [MOUNT, "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, name: str = "ballast") -> None:
    """Use all space of `disk`."""
    with (disk / name).open("wb", buffering=0) as file:
        for size in (1_000_000, 1000):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def config(user: Any) -> Path:
    """A run that records a movie of 100 s."""
    movie = user.folder / "movie.raw"
    np.zeros((SCANS, SIDE_PX, SIDE_PX), np.uint16).tofile(movie)
    source = {"kind": "raw_movie", "path": str(movie), "rows_px": SIDE_PX, "cols_px": SIDE_PX}
    made: Path = user.config(
        processes=["recorder", "bridge"],
        acquisition={"source": source},
        decode=None,
        record={"min_free_mb": 0},
        seconds=200,
    )
    return made


def test_a_run_on_a_disk_that_fills_up_ends_readable_and_says_what_to_do(
    user: Any, small_disk: Path
) -> None:
    with user.running("run", config(user), "--out", small_disk / "s") as running:
        assert any("bridge: running" in line for line in running.stdout)
        fill(small_disk)
        said = running.communicate()[0]
    assert running.returncode == 1, said
    assert "Traceback" not in said
    assert f"the disk mounted at {small_disk} is full (No space left on device" in said
    assert f"free space at {small_disk}, or record on another disk" in said
    assert f"the run failed; its session folder is {small_disk / 's'}" in said
    assert re.search(r"s were recorded from [^;]* UTC; the log is readable and ends where", said)
    assert user.left_running() == []
    log = small_disk / "s" / "log.mcap"
    with log.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_summary() is not None
        seqs = [m.sequence for _, c, m in reader.iter_messages(topics=["bridge/scan"])]
    assert seqs == list(range(len(seqs)))
    events = [item.message.body for item in LogReader(log).messages(lambda s: "/event" in s)]
    codes = {event.code for event in events if isinstance(event, Event)}
    # 200 s do not fit on the disk, which is stated at the start
    assert {"disk_short", "disk_full"} <= codes


def written_until_full(recorder: Recorder) -> int:
    """Write scans until the recorder refuses; how many are in the log."""
    pixels, n = np.zeros((128, 128), np.uint16), 0
    while True:
        message = Stamped("bridge", n, n, "host", Scan(pixels, n, 0, n, n))
        n += 1
        try:
            recorder.write(pack(message), message, n)
        except LogFullError:
            return n


@pytest.mark.parametrize("split_mb", [0.5, 3, 7, 19])
def test_a_log_in_parts_that_fills_its_disk_is_whole(small_disk: Path, split_mb: float) -> None:
    recorder = Recorder(small_disk, flush_s=0.001, clock=HostClock(), split_mb=split_mb)
    n = written_until_full(recorder)
    recorder.close()
    reader = LogReader(small_disk / "log.mcap")
    logged = [(one.stream, one.seq) for one in reader.logged()]
    assert [seq for stream, seq in logged if stream == "bridge/scan"] == list(range(n))
    assert ("recorder/event", 0) in logged
    assert (reader.complete, reader.damage, reader.has_index()) == (True, (), True)
    assert len(list(small_disk.glob("log*.mcap"))) > 2
    assert sum(path.stat().st_size for path in small_disk.glob("log*.mcap")) > 45_000_000


def test_commands_on_a_full_disk_say_so_in_one_sentence(user: Any, small_disk: Path) -> None:
    short = yaml.safe_load(config(user).read_text()) | {"seconds": 3}
    told = user.told("run", user.config(**short), "--out", small_disk / "s")
    assert told.returncode == 0, told.stderr
    shutil.rmtree(small_disk / "s" / "report")
    fill(small_disk)
    for session in ("s", "s/log.mcap"):
        told = user.told("score", small_disk / session)
        assert told.returncode == 1, told.stdout + told.stderr
        assert "Traceback" not in told.stderr
        assert f"its disk, mounted at {small_disk}, has 0 MB free" in told.stderr
        assert "s were recorded" in told.stdout
    log = small_disk / "s" / "log.mcap"
    content = log.read_bytes()
    log.write_bytes(content[: len(content) - 20_000])
    fill(small_disk, "more")
    told = user.told("recover", small_disk / "s")
    assert told.returncode == 1
    assert "was not repaired and is unchanged, because its copy cannot be written" in told.stderr
    assert sorted(path.name for path in log.parent.glob("*.mcap")) == ["log.mcap"]


@pytest.mark.parametrize(
    ("to", "name", "left_bytes"),
    [
        ("npz", "a.npz", 200_000),
        ("nwb", "a.nwb", 200_000),
        ("mp4", "a.mp4", 50_000),
        ("foxglove", "a.mcap", 10_000),
    ],
)
def test_an_export_to_a_full_disk_is_one_sentence_and_no_file(
    user: Any, small_disk: Path, to: str, name: str, left_bytes: int
) -> None:
    session = write_shown_run(user.folder / "shown").folder
    fill(small_disk)
    with (small_disk / "ballast").open("rb+") as file:
        file.truncate(file.seek(0, SEEK_END) - left_bytes)
    told = user.told("export", session, "--to", to, "--out", small_disk / name)
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    assert f"{name} was not written: it needs about" in told.stderr
    assert f"the disk mounted at {small_disk} has" in told.stderr
    assert [one.name for one in small_disk.iterdir()] == ["ballast"]


def test_a_disk_without_room_for_a_minute_is_refused(user: Any, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(60_000_000))
    told = user.told("run", config(user), "--out", small_disk / "s")
    assert told.returncode == 2
    assert f"mounted at {small_disk}, has" in told.stderr
    assert "a run needs at least" in told.stderr
    assert not (small_disk / "s").exists()
