"""The numbers of a killed sender stay, and a restart states which of its messages never came."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.numbering import Numbering, kept_numbering, numbers_given
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.run_info import RunInfo
from rtdecode.runtime.sockets import RECORDER_QUEUE, Messaging
from rtdecode.runtime.subscriber import Collector
from rtdecode.schema.messages import End, Gap, Scan, Start
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

N_SENT = 150
CHILD = f"""
import os, signal, sys
from pathlib import Path
import numpy as np
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.numbering import kept_numbering
from rtdecode.runtime.run_info import RunInfo
from rtdecode.runtime.publisher import Publisher
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.messages import Scan, Start

folder, then = Path(sys.argv[1]), sys.argv[2]
numbering = kept_numbering(
    read_config(folder / "run.yaml"), RunInfo("session", "", "", {{}}), source="bridge"
)
with Messaging() as messaging:
    publisher = Publisher(
        messaging,
        "bridge",
        clock=HostClock(),
        publish="",
        record=f"ipc://{{folder}}/recorder",
        queue=100,
        numbering=numbering,
    )
    publisher.require_recorder()
    publisher.start(Start("session", config_yaml="", git_revision="", twin_hash=""))
    for number in range({N_SENT}):
        publisher.push(Scan(np.zeros((256, 256), np.uint16), number, 0, number, number + 1))
    if then == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    publisher.end(session="session", reason="stopped")
    while len(publisher.backlog):
        publisher.drain(0.1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "session").mkdir()
    (tmp_path / "run.yaml").write_text(f"record: {{folder: {tmp_path}}}\n")
    return tmp_path


def numbering_in(folder: Path) -> Numbering:
    run_info = RunInfo("session", "", "", {})
    return kept_numbering(read_config(folder / "run.yaml"), run_info, source="bridge")


def test_a_restarted_sender_knows_the_last_numbers_and_begins_with_0(folder: Path) -> None:
    before = numbering_in(folder)
    assert before.before == {}
    assert [before.next(kind) for kind in ("start", "scan", "scan")] == [0, 0, 1]
    after = numbering_in(folder)
    assert after.before == {"start": 0, "scan": 1}
    assert after.next("start") == 0
    assert numbering_in(folder).before == {"start": 0}


def test_the_numbers_are_kept_after_end_until_the_recorder_reads_them(folder: Path) -> None:
    with Messaging() as messaging:
        publisher = Publisher(
            messaging,
            "bridge",
            clock=HostClock(),
            publish="",
            record="",
            queue=1,
            numbering=numbering_in(folder),
        )
        publisher.start(Start("session", config_yaml="", git_revision="", twin_hash=""))
        assert [path.name for path in (folder / "session").iterdir()] == ["bridge.sent"]
        publisher.end(session="session", reason="stopped")
    assert numbers_given(folder / "session") == {"bridge": {"start": 0, "end": 0}}
    assert list((folder / "session").iterdir()) == []


def test_the_numbers_of_killed_senders_are_found_once(folder: Path) -> None:
    numbering_in(folder).next("start")
    assert numbers_given(folder / "session") == {"bridge": {"start": 0}}
    assert numbers_given(folder / "session") == {}


@pytest.mark.system
def test_what_a_killed_sender_had_not_sent_is_a_gap_once_it_is_started_again(folder: Path) -> None:
    session = folder / "session"
    recorder = Recorder(session, flush_s=1.0, clock=HostClock())
    with Messaging() as messaging:
        # nothing is taken while the first child runs: most of its messages stay in its memory
        collector = Collector(
            messaging,
            clock=HostClock(),
            endpoint=f"ipc://{folder}/recorder",
            queue=RECORDER_QUEUE,
        )
        argv = [sys.executable, "-c", CHILD, str(folder)]
        assert subprocess.run([*argv, "kill"], check=False).returncode == -9
        with subprocess.Popen([*argv, "end"]) as restarted:
            has_ended = False
            while not has_ended:
                assert restarted.poll() in (None, 0)
                for data, received in collector.take(0.1):
                    recorder.write(data, received.message, received.t_received_ns)
                    has_ended |= isinstance(received.message.body, End)
    for source, last_seq in numbers_given(session).items():
        recorder.expect_last(source, last_seq)
    report = recorder.close()
    bodies = [item.message.body for item in LogReader(session / "log.mcap").messages()]
    n_recorded = sum(isinstance(body, Scan) for body in bodies)
    n_unsent = 2 * N_SENT - n_recorded
    assert n_unsent > 0
    gaps = [body for body in bodies if isinstance(body, Gap) and body.stream == "bridge/scan"]
    assert [(gap.n_missing, gap.first_missing + gap.n_missing) for gap in gaps] == [
        (n_unsent, N_SENT)
    ]
    assert report.lost_by_stream["bridge/scan"] == n_unsent
