"""What happens in a run is on its page at once, and in the summary also of a killed run."""

import json
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from live_run import codes, command_line, process_of, status_where
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

NOBODY_SENDS = {"kind": "zmq_native", "address": "tcp://127.0.0.1:*"}
POLL_S = 0.1
Running = subprocess.Popen[str]


@contextmanager
def run(user: Any, *command: object) -> Iterator[tuple[Running, str]]:
    """`rtdecode COMMAND` into the session `s` once all processes run, and its page's address."""
    with user.running(*command, "--out", "s") as running:
        seen = []
        for line in running.stdout:
            seen.append(line)
            if "bridge: running" in line or "stimulus: running" in line:
                break
        else:
            pytest.fail(f"the run has ended: {''.join(seen)}")
        text = "".join(seen)
        address = re.search(r"http://(\S+)", text)
        assert address, text
        yield running, f"ws://{address.group(1)}live"


def quiet_run(user: Any, **settings: Any) -> list[object]:
    config = user.config(
        processes=["recorder", "bridge", "view"], acquisition={"source": NOBODY_SENDS}, **settings
    )
    return ["run", config]


def test_the_page_shows_a_stalled_recorder_while_it_is_stalled_and_a_restarted_process(
    user: Any,
) -> None:
    with run(user, *quiet_run(user)) as (running, address), connect(address) as page:
        recorder = process_of(running.pid, "rtdecode.pipeline.recorder")
        recorder.send_signal(signal.SIGSTOP)
        # a busy machine may have other alarms
        status_where(page, lambda status: "recorder_stalled" in codes(status["alarms"]))
        recorder.send_signal(signal.SIGCONT)
        found = status_where(page, lambda status: "recorder_stalled" not in codes(status["alarms"]))
        assert codes(found["events"]) >= {"recorder_stalled", "recorder_resumed"}
        process_of(running.pid, "acquisition_bridge").kill()
        found = status_where(page, lambda status: "process_restarted" in codes(status["events"]))
        (event,) = (one for one in found["events"] if one["code"] == "process_restarted")
        assert (event["process"], event["severity"], event["times"]) == ("bridge", "warning", 1)
        running.send_signal(signal.SIGINT)
        said = running.communicate()[0]
    for part in ("Event in the recorder", "Event in the bridge: the process failed"):
        assert part in said
    assert user.left_running() == []


def test_a_page_on_the_network_keeps_its_browsers_over_a_restart_and_its_tokens_to_itself(
    user: Any,
) -> None:
    with run(user, *quiet_run(user, view={"host": "0.0.0.0"})) as (running, address):
        session = user.folder / "s"
        addresses = (session / "page.txt").read_text().split()
        tokens = [one.partition("=")[2] for one in addresses]
        given = {"Authorization": f"Bearer {tokens[0]}"}
        assert all(one.startswith(address.replace("ws", "http")[:-4]) for one in addresses)
        assert stat.S_IMODE((session / "page.txt").stat().st_mode) == 0o600
        with pytest.raises(InvalidStatus, match="403"), connect(address):
            pass
        with connect(address, additional_headers=given) as page:
            found = status_where(page, lambda status: "page_refused" in codes(status["events"]))
            assert not found["may_act"]
            process_of(running.pid, "rtdecode.pipeline.view").kill()
        with again(address, given) as page:
            status_where(page, lambda status: "process_restarted" in codes(status["events"]))
        lines = [" ".join(command_line(one)) for one in psutil.Process(running.pid).children()]
        assert any(f"--before-restart={addresses[0].partition('?')[0]}" in one for one in lines)
        kept = [file.read_bytes() for file in session.rglob("*") if file.is_file()]
        running.send_signal(signal.SIGINT)
        said = running.communicate()[0]
    assert "Event in the view: refused by the page" in said
    assert not (session / "page.txt").exists()
    for token in tokens:
        assert token not in said
        assert not any(token in line for line in lines)
        assert [token.encode() in content for content in kept].count(True) == 1  # page.txt


@contextmanager
def again(address: str, headers: dict[str, str]) -> Iterator[ClientConnection]:
    """A connection to the page at `address`, once it is there."""
    while True:
        try:
            opened = connect(address, additional_headers=headers).__enter__()
        except (OSError, WebSocketException):  # the killed one resets what it took
            time.sleep(POLL_S)
            continue
        with closing(opened):
            yield opened
        return


@pytest.mark.slow
def test_a_killed_run_ends_by_itself_and_has_its_summary_and_score(user: Any) -> None:
    with run(user, "demo", "--headless", "--seconds", 100) as (running, address):
        with connect(address) as page:
            status_where(page, lambda status: status["score"] is not None)
        children = psutil.Process(running.pid).children(recursive=True)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert not alive
    assert user.left_running() == []
    log = LogReader(Path(user.folder / "s" / "log.mcap"))
    counts = log.summary().counts
    assert log.complete
    sources = {stream.partition("/")[0] for stream in counts if stream.endswith("/start")}
    ended = {stream.partition("/")[0] for stream in counts if stream.endswith("/end")}
    assert sources - ended == {"supervisor"}
    told = user.told("score", "s", "--json", "s.json")
    assert told.returncode == 0, told.stderr
    assert "The run's end was not recorded" in told.stdout
    assert "correlate with video r" in told.stdout
    figures = json.loads((user.folder / "s.json").read_text())
    assert figures["without_end"] == ["supervisor"]
    assert figures["frames_scored"] > 0
    assert figures["lost_messages"] == 0
    recovered = user.told("recover", "s")
    assert recovered.returncode == 0
    assert "the log holds no END of supervisor" in recovered.stdout
    assert "the log holds no END of decoder" not in recovered.stdout
