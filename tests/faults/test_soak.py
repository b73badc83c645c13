"""A soak run states what no fault explains, and how fast memory grows."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fault_cells import CELLS, Cell
from plain_log import read_plain
from soak_check import Explanation, Timeline, accounted, latency
from soak_faults import Draw, Injected, restarts, survivable
from soak_samples import figures, lines_of, total_percent

from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Body, Event, Gap, Reconstruction, Scan, Stamped, Start
from rtdecode.session.log import LogWriter

ROOT = Path(__file__).resolve().parents[2]
S = 1_000_000_000
CELL = {cell.name: cell for cell in CELLS}
Message = tuple[str, int, int, Body]
"""Source, number, time in s and content."""


def frame(number: int, *, age_s: float = 0.3) -> Reconstruction:
    still, mid_ns = np.zeros((1, 1), np.float32), round((number + 0.5) * S / 30)
    ready_ns = mid_ns + round(age_s * S / 2)
    return Reconstruction(
        still, still, number, mid_ns, 0, 0, 0, 0, ready_ns, 2, 1, 0.0, warm=True, late=False
    )


def scan(number: int) -> Scan:
    return Scan(np.zeros((1, 1), np.uint16), number, 0, 0, 0)


def explained(
    folder: Path, messages: Sequence[Message], *faults: tuple[str, int, int]
) -> list[str]:
    """What is not explained in a log of `messages`, with faults (name, begin in s, end in s)."""
    log = LogWriter(folder / "log.mcap")
    for source, seq, t_s, body in messages:
        one = Stamped(source, seq, t_s * S, "host", body)
        log.add(pack(one), stream=one.stream, seq=seq, t_sent_ns=one.t_ns, t_logged_ns=one.t_ns)
    log.close()
    timeline = Timeline()
    found = read_plain(folder / "log.mcap", timeline.add)
    made = [Injected(CELL[name], begin * S, end * S) for name, begin, end in faults]
    return Explanation(found, timeline, made, frame_rate_hz=30.0).unexplained()


def start(**last: int) -> Start:
    return Start("s", "", "", "", last_seq_before=last)


RESTART = (
    "supervisor",
    0,
    105,
    Event("warning", "decoder", "process_restarted", "", {"restarts": 1}),
)
LOST = ("bridge", 0, 105, Event("warning", "bridge", "scans_lost", "", {"scans": 60}))


def test_an_event_is_explained_by_a_fault_at_its_time_alone(tmp_path: Path) -> None:
    [wrong] = explained(tmp_path, [RESTART])
    assert "process_restarted of decoder" in wrong
    for number, fault in enumerate([("kill_decoder", 100, 108), ("kill_decoder", 100, 101)]):
        (tmp_path / str(number)).mkdir()
        assert explained(tmp_path / str(number), [RESTART], fault) == []
    (tmp_path / "later").mkdir()
    event, none = explained(tmp_path / "later", [RESTART], ("kill_decoder", 120, 125))
    assert "process_restarted of decoder" in event
    assert "has no event process_restarted" in none


def test_lost_scans_are_as_many_as_the_rig_skipped(tmp_path: Path) -> None:
    skipped = [LOST, ("bridge", 0, 100, scan(1)), ("bridge", 1, 105, scan(62))]
    decoded = {"not decoded"}
    for name, scans, wrong in (("right", 62, 0), ("more", 70, 1)):
        (tmp_path / name).mkdir()
        messages = [*skipped[:2], ("bridge", 1, 105, scan(scans))]
        found = explained(tmp_path / name, messages, ("scans_lost", 104, 106))
        found = [one for one in found if not any(words in one for words in decoded)]
        assert len(found) == wrong
    (tmp_path / "none").mkdir()
    assert any("lost 60 scans in no fault" in one for one in explained(tmp_path / "none", skipped))


def test_messages_that_the_log_lacks_are_those_of_a_killed_process(tmp_path: Path) -> None:
    event = Event("info", "decoder", "c", "")
    messages = [
        ("decoder", 0, 90, start()),
        ("decoder", 0, 91, event),
        ("decoder", 0, 105, start(event=3)),
        ("decoder", 0, 106, event),
    ]
    [wrong] = explained(tmp_path, messages)
    assert "the log lacks 3 of decoder/event" in wrong
    for name, n_wrong in (("kill_decoder", 0), ("kill_view", 1)):
        (tmp_path / name).mkdir()
        found = explained(tmp_path / name, messages, (name, 100, 106))
        assert len([one for one in found if "the log lacks" in one]) == n_wrong


def test_a_message_that_is_recorded_twice_is_stated(tmp_path: Path) -> None:
    event = Event("info", "view", "c", "")
    messages = [("view", 0, 1, start()), *(("view", seq, 2, event) for seq in (0, 1, 1, 2))]
    assert explained(tmp_path, messages) == ["1 messages of view/event are in the log twice"]


def test_frames_and_scans_that_were_not_decoded_have_a_time(tmp_path: Path) -> None:
    frames = [*range(3000, 3010), *range(3040, 3050), *range(3051, 3060)]
    messages = [("emit", n, k // 30, frame(k)) for n, k in enumerate(frames)]
    messages.insert(0, ("bridge", 0, 100, scan(1)))
    wrong = explained(tmp_path, messages)
    assert [one.split(" at ")[0] for one in wrong] == ["a scan", "30 frames", "1 frames"]
    (tmp_path / "fault").mkdir()
    found = explained(tmp_path / "fault", messages, ("stop_5_s_decoder", 99, 101))
    assert found == []


def test_what_a_process_missed_is_explained_by_a_fault_of_it_or_of_the_sender(
    tmp_path: Path,
) -> None:
    messages = [("view", 0, 105, Gap("emit/reconstruction", 3, 7, "view"))]
    for name, wrong in (("stop_5_s_view", 0), ("stop_5_s_decoder", 0), ("stop_5_s_bridge", 1)):
        (tmp_path / name).mkdir()
        assert len(explained(tmp_path / name, messages, (name, 100, 106))) == wrong


def test_scans_that_the_rig_sent_are_accounted_for(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log.mcap")
    for seq in range(10):
        one = Stamped("bridge", seq, seq, "host", scan(seq))
        log.add(pack(one), stream=one.stream, seq=seq, t_sent_ns=0, t_logged_ns=0)
    log.close()
    found = read_plain(tmp_path / "log.mcap")
    twice = Injected(CELL["scan_twice"], 0, 1)
    assert accounted(found, [twice], sent=11) == []
    [wrong] = accounted(found, [twice], sent=12)
    assert "12 were sent" in wrong


def test_the_trend_of_the_latency_leaves_out_what_a_fault_delays() -> None:
    timeline = Timeline()
    for number in range(0, 30 * 3000, 3):
        t_s = number / 30
        age_ms = 280.0 + 0.01 * t_s + (80 if 1000 < t_s < 1090 else 0)
        timeline.frames.append((round(t_s * S), age_ms, age_ms - 40, False))
    fault = Injected(CELL["kill_decoder"], 1000 * S, 1011 * S)
    found = latency(timeline, [fault])
    assert found["quiet_p99_ms"] < 311
    assert found["p99_ms"] > 350
    assert found["last_over_first"]["output"] == pytest.approx(308.5 / 281.5, abs=0.001)
    assert found["last_over_first"]["ready"] == pytest.approx(268.5 / 241.5, abs=0.001)


def sample(t_s: float, uss_mb: float, *, pid: int = 1, handles: int = 20) -> dict[str, object]:
    memory = {"rss_mb": uss_mb + 50, "pss_mb": uss_mb + 20, "uss_mb": uss_mb}
    counts = {"handles": handles, "threads": 4, "cpu_s": 0.1 * t_s}
    return {"t_s": t_s, "process": "view", "pid": pid, **memory, **counts}


def test_the_slope_is_that_within_lifetimes_after_their_start() -> None:
    rng = np.random.default_rng(0)
    samples = []
    for pid in (1, 2):
        for t_s in range(0, 1800, 5):
            warming = max(0, 200 - t_s)
            peak = 40 if t_s % 300 == 0 else 0
            uss = 100 * pid + 6 * t_s / 3600 - warming + peak + rng.normal(0, 0.2)
            samples.append(sample(1800 * pid + t_s, uss, pid=pid))
    view = figures(samples)["view"]
    assert (view["lifetimes"], len(view["slopes"])) == (2, 2)
    assert view["slope_mb_h"] == pytest.approx(6, abs=0.5)
    assert all(one["low"] < 6 < one["high"] for one in view["slopes"])
    assert total_percent(samples) == pytest.approx(10, abs=0.1)


def test_growth_at_a_fault_is_apart_from_growth_outside() -> None:
    steps = [sample(t_s, 100 + (8 if t_s > 900 else 0) + t_s / 3600) for t_s in range(0, 2000, 5)]
    view = figures(steps, [(880.0, 930.0)])["view"]
    assert view["outside_faults_mb_h"] == pytest.approx(1.0, abs=0.01)
    assert figures(steps)["view"]["outside_faults_mb_h"] > 15


def test_handles_that_are_not_closed_are_stated() -> None:
    samples = [sample(t_s, 100, handles=20 + t_s // 100) for t_s in range(0, 2000, 5)]
    assert figures(samples)["view"]["handles_gained"] == pytest.approx(15, abs=1)
    assert figures(samples)["view"]["threads_gained"] == 0


def test_a_sample_that_is_cut_off_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text('{"t_s": 1}\n{"t_s": 2}\n{"t_')
    assert lines_of(file) == [{"t_s": 1}, {"t_s": 2}]


def test_a_seed_gives_the_same_faults_and_no_process_is_restarted_soon_again() -> None:
    def drawn(seed: int) -> list[tuple[float, Cell]]:
        draw, now_s, found = Draw(seed=seed, gap_s=120.0, cells=survivable()), 0.0, []
        while now_s < 4 * 3600:
            now_s += draw.pause_s()
            if (cell := draw.cell(now_s)) is not None:
                found.append((now_s, cell))
        return found

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    restarted: dict[str, float] = {}
    for now_s, cell in drawn(1):
        if restarts(cell):
            assert now_s - restarted.get(cell.process, -900.0) >= 900
            restarted[cell.process] = now_s
    assert {cell.name for _, cell in drawn(1)} == {cell.name for cell in survivable()}


@pytest.mark.faults
def test_a_short_soak_run_that_ctrl_c_ends_explains_all(tmp_path: Path) -> None:
    faults = ["kill_evaluate", "scans_lost", "page_visitors"]
    options = ["--minutes", "30", "--gap-s", "11", "--seed", "3", "--faults", *faults]
    files = ["--json", str(tmp_path / "soak.json"), "--out", str(tmp_path / "run")]
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), *options, *files]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as soak:
        assert soak.stdout is not None
        made = []
        for line in soak.stdout:
            if line.startswith("{"):
                made.append(json.loads(line)["fault"])
            if len(made) == len(faults):
                soak.send_signal(signal.SIGINT)
                break
        said = soak.stdout.read()
    assert sorted(made) == sorted(faults)
    assert soak.returncode == 0, said
    results = json.loads((tmp_path / "soak.json").read_text())["results"]
    assert results["finished"] is True
    assert results["unexplained"] == []
    assert results["faults_made"] == dict.fromkeys(sorted(faults), 1)
    assert results["losses"]["lost_scans"] == 60
    assert {"recorder", "bridge", "decoder", "stimulus", "view"} <= results["processes"].keys()
