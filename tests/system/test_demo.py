"""The demo from the command line: real processes, real window, real page, real log."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from live_run import Status, codes, live_page, process_of, status_where

from rtdecode.schema.errors import DataLostError

pytestmark = pytest.mark.system

ADDRESS = r"http://127\.0\.0\.1:\d+"


@contextmanager
def demo(folder: Path, options: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "rtdecode", "demo", "--headless", "--out", str(folder / "s")]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def said_until(running: "subprocess.Popen[str]", pattern: str) -> str:
    """All that it says up to the line with `pattern`, and this line up to its match."""
    assert running.stdout is not None
    seen = ""
    for line in running.stdout:
        if found := re.search(pattern, line):
            return seen + line[: found.end()]
        seen += line
    return pytest.fail(seen)


def line_with(running: "subprocess.Popen[str]", pattern: str) -> str:
    found = re.search(pattern, said_until(running, pattern).splitlines()[-1])
    assert found
    return found.group()


def family(running: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(running.pid).children(recursive=True)


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def interrupted(running: "subprocess.Popen[str]") -> str:
    running.send_signal(signal.SIGINT)
    return running.communicate()[0]


def has_acted(status: Status) -> bool:
    """Whether a pulse was sent, and a clip displayed that the policy asked for."""
    effects = [action["effect"] for action in (status.get("control") or {}).get("recent", [])]
    return all(any(words in one for one in effects) for words in ("out after", "displayed"))


@pytest.mark.slow
def test_a_policy_acts_on_reconstructions_and_the_report_has_cause_and_effect(
    tmp_path: Path,
) -> None:
    summary = tmp_path / "d.json"
    options = ["--policy", "threshold", "--seconds", "100", "--json", str(summary)]
    with demo(tmp_path, options) as running:
        told = said_until(running, ADDRESS)
        with live_page("http" + told.rpartition("http")[2]) as page:
            status_where(page, has_acted)
        told += interrupted(running)
    assert running.returncode == 0, told
    assert "control.arm is at_start" in told
    figures = json.loads(summary.read_text())
    assert figures["policy"] == "threshold"
    sent = figures["actions"]["trigger"]["sent"]
    # what is decided just before the end is withdrawn
    delivered, results = figures["deliveries"]["pulse"], figures["command_results"]
    # a clip that was not decoded yet comes a frame late
    displayed = results.get("applied", 0) + results.get("late", 0)
    assert 0 < delivered <= sent, told
    assert 0 < displayed <= figures["actions"]["show_clip"]["sent"] == sent, told
    for prefix, n in (("trigger_", delivered), ("", displayed)):
        found = [figures[f"{prefix}{name}"]["n"] for name in ("reaction_ms", "content_age_ms")]
        assert found == [n, n], told
    report = tmp_path / "s" / "report"
    assert len((report / "actions.csv").read_text().splitlines()) > sent
    assert "Closed loop" in (report / "index.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_ctrl_c_ends_it_cleanly_and_leaves_nothing_running(tmp_path: Path) -> None:
    with demo(tmp_path, ["--seconds", "100"]) as running:
        line_with(running, "stimulus: running")
        children = family(running)
        assert len(children) >= 6
        told = interrupted(running)
    assert running.returncode == 0, told
    assert "stopped as asked" in told
    assert all_gone(children)


@pytest.mark.slow
def test_a_decoder_that_is_killed_comes_back_and_what_it_had_not_sent_is_stated(
    tmp_path: Path,
) -> None:
    summary = tmp_path / "d.json"
    with demo(tmp_path, ["--seconds", "100", "--json", str(summary)]) as running:
        address = line_with(running, ADDRESS)
        line_with(running, r"decoder: running")
        with live_page(address) as page:
            process_of(running.pid, "rtdecode.pipeline.decoder").kill()
            status = status_where(page, lambda now: "process_restarted" in codes(now["events"]))
            before = status["counters"]["frames"]
            status_where(page, lambda now: now["counters"]["frames"] > before)
        told = interrupted(running)
    figures = json.loads(summary.read_text())
    lost = figures["lost_by_stream"]
    assert {stream.partition("/")[0] for stream in lost} <= {"decoder", "emit"}
    assert running.returncode == (DataLostError.exit_code if lost else 0), told
    assert figures["messages"]["decoder/start"] == 2
    # how many depends on the machine
    assert figures["messages"]["emit/reconstruction"] > 0


@pytest.mark.long
def test_when_the_command_itself_is_killed_no_process_stays(tmp_path: Path) -> None:
    with demo(tmp_path, ["--seconds", "100"]) as running:
        line_with(running, r"http://\S+")
        children = family(running)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert all_gone(children)


@pytest.mark.long
def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    with demo(tmp_path, ["--seconds", "100"]) as running:
        line_with(running, r"recording into")
        line_with(running, r"http://\S+")
        with demo(tmp_path, ["--seconds", "5"]) as second:
            told = second.communicate()[0]
        assert second.returncode == 2
        assert f"in use by process {running.pid}" in told
        running.send_signal(signal.SIGINT)
        running.communicate()
