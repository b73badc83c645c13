"""The demo from the command line: real processes, real window, real page, real log."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from live_run import process_of
from websockets.sync.client import connect

from rtdecode.schema.errors import DataLostError
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.session.layout import session_at
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

STAGES = {"scan", "transport", "calcium", "decode", "pacing", "screen_to_output"}


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


def line_with(running: "subprocess.Popen[str]", pattern: str) -> str:
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        found = re.search(pattern, line)
        if found:
            return found.group()
    return pytest.fail("".join(seen))


def family(running: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(running.pid).children(recursive=True)


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def watch_microscope(address: str) -> None:
    """Wait until the Microscope tab has had pictures, cells, behaviour and ROIs of the run."""
    kinds = set[int]()
    with connect(address, max_size=None) as page:
        page.send("watch 1")
        while not {3, 4, 5, 6} <= kinds:
            data = page.recv(timeout=100)
            kinds |= {data[0]} if isinstance(data, bytes) else set()


def test_it_serves_a_page_ends_by_itself_and_prints_a_summary(tmp_path: Path) -> None:
    summary = tmp_path / "d.json"
    with demo(tmp_path, ["--seconds", "20", "--json", str(summary)]) as running:
        address = line_with(running, r"http://127\.0\.0\.1:\d+")
        with urllib.request.urlopen(address) as page:
            assert b"<canvas" in page.read()
        watch_microscope(f"{address.replace('http', 'ws')}/live")
        told = running.communicate()[0]
        assert running.returncode == 0, told
    figures = json.loads(summary.read_text())
    assert figures["lost_messages"] == 0
    assert figures["complete"]
    assert figures["video_r"] > 0.2
    # how many depends on the machine
    assert figures["frames_scored"] > 0
    assert set(figures["stages_ms"]) >= STAGES
    assert all(stage["p50"] <= stage["p99"] for stage in figures["stages_ms"].values())
    session = tmp_path / "s"
    checked = [
        item.message.body
        for item in LogReader(session_at(session).log).messages()
        if isinstance(item.message.body, ResponsePrediction)
    ]
    assert {one.verdict for one in checked[-3:]} == {Verdict.MATCH}
    assert checked[-1].r > 0.7 * checked[-1].r_training
    for name in ("log.mcap", "config.yaml", "environment.json", "report/index.html"):
        assert (session / name).stat().st_size > 0
    assert list((session / "report").rglob("*.png"))


def test_a_policy_acts_on_reconstructions_and_the_report_has_cause_and_effect(
    tmp_path: Path,
) -> None:
    summary = tmp_path / "d.json"
    options = ["--policy", "threshold", "--seconds", "15", "--json", str(summary)]
    with demo(tmp_path, options) as running:
        told = running.communicate()[0]
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
        running.send_signal(signal.SIGINT)
        told = running.communicate()[0]
    assert running.returncode == 0, told
    assert "stopped as asked" in told
    assert all_gone(children)


def test_a_decoder_that_is_killed_comes_back_and_what_it_had_not_sent_is_stated(
    tmp_path: Path,
) -> None:
    summary = tmp_path / "d.json"
    with demo(tmp_path, ["--seconds", "25", "--json", str(summary)]) as running:
        line_with(running, r"decoder: running")
        process_of(running.pid, "rtdecode.pipeline.decoder").kill()
        told = running.communicate()[0]
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
