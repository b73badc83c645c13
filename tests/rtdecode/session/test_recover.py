import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcap.reader import make_reader

from rtdecode.schema.errors import MissingFileError, SecondInstanceError
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover

FLUSHED, UNFLUSHED = 500, 20
WRITER = """
import sys
from pathlib import Path
import numpy as np
from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Behaviour, Scan, Stamped
from rtdecode.session.recorder import Recorder

class Clock:
    now = 0
    def now_ns(self): return self.now

clock = Clock()
recorder = Recorder(Path(sys.argv[1]), flush_s=1.0, clock=clock)
def write(n):
    pixels = np.full((256, 256), n, np.uint16)
    bodies = [Behaviour(n, 0.0, 1.0, np.zeros(2, np.float32))]
    if n % 20 == 0:
        bodies.append(Scan(pixels, n // 20, 0, n, n))
    for body in bodies:
        message = Stamped("bridge", body.number if isinstance(body, Scan) else n, n, "host", body)
        recorder.write(pack(message), message, n)
for n in range(int(sys.argv[2])):
    write(n)
clock.now = 1_000_000_000
recorder.flush_if_due()
for n in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    write(n)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.system
def test_a_killed_recorder_loses_only_what_came_after_its_last_flush(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(FLUSHED), str(UNFLUSHED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    report = recover(tmp_path)
    assert not report.was_complete
    assert FLUSHED <= report.counts["bridge/behaviour"] <= FLUSHED + UNFLUSHED
    assert FLUSHED // 20 <= report.counts["bridge/scan"] <= FLUSHED // 20 + 1
    with report.log.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        seqs = [m.sequence for _, c, m in reader.iter_messages() if c.topic == "bridge/behaviour"]
    assert seqs == list(range(report.counts["bridge/behaviour"]))


def tear(log: Path, *, size: int) -> bytes:
    torn = log.read_bytes()[:size]
    log.write_bytes(torn)
    return torn


def test_a_recovered_log_holds_all_that_could_be_read(log: Path) -> None:
    torn = tear(log, size=3000)
    readable = list(LogReader(log).logged())
    assert 0 < len(readable) < 40
    report = recover(log.parent)
    assert list(LogReader(log).logged()) == readable
    assert LogReader(log).summary().complete
    [damaged] = report.damaged
    assert damaged.read_bytes() == torn


def test_a_whole_log_is_left_alone(log: Path) -> None:
    before = log.read_bytes()
    report = recover(log.parent)
    assert (report.was_complete, report.damaged) == (True, ())
    assert report.counts == {"bridge/behaviour": 40}
    assert log.read_bytes() == before


def test_recovering_again_changes_nothing(log: Path) -> None:
    tear(log, size=3000)
    first = recover(log.parent)
    again = recover(log)
    assert again.was_complete
    assert again.counts == first.counts


def test_a_recovery_that_was_killed_is_done_again(log: Path) -> None:
    tear(log, size=3000)
    log.with_name("log.recovering.mcap").write_bytes(b"half")
    log.with_name("log.damaged.mcap").write_bytes(b"of an earlier time")
    report = recover(log.parent)
    assert report.damaged == (log.with_name("log.damaged_2.mcap"),)
    assert not log.with_name("log.recovering.mcap").exists()


def test_a_session_that_is_still_recorded_is_left_alone(log: Path) -> None:
    tear(log, size=3000)
    with SessionLock(SessionLayout(log.parent)):
        with pytest.raises(SecondInstanceError, match=f"process {os.getpid()}"):
            recover(log.parent)
    assert log.stat().st_size == 3000


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        recover(tmp_path)
