"""The summary follows from the log, and its sentences are the same wherever they are printed."""

import json
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from html import unescape
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from rich.console import Console

from rtdecode.commands.sessions import summarise_and_report
from rtdecode.evaluate.latency import StageLatency
from rtdecode.evaluate.loop_latency import LoopFigures
from rtdecode.evaluate.output_count import EventSum
from rtdecode.report.summary import SessionSummary, summarise, write_summary
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.runtime.restarts import restart_events
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    End,
    Event,
    Fluorescence,
    Gap,
    Health,
    Reconstruction,
    Responses,
    Scan,
    Stamped,
    Start,
)
from rtdecode.session.layout import SessionLayout, named_session, session_at
from rtdecode.session.recorder import Recorder
from rtdecode.session.recover import recover

GRID = FrameGrid(30.0)
FRAMES = 150
GOLDEN = Path(__file__).parents[2] / "golden" / "session_wire1"
MS = 1_000_000


def movie() -> np.ndarray:
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(0, 12, (FRAMES, 36, 64)), axis=0)
    return np.clip(128 + steps, 0, 255).astype(np.uint8)


def reconstruction(frame: int, luminance: np.ndarray, *, late: bool) -> Reconstruction:
    start_ns = GRID.start_ns(frame)
    return Reconstruction(
        luminance=luminance.astype(np.float32),
        uncertainty=np.zeros((36, 64), np.float32),
        frame=frame,
        t_frame_mid_ns=start_ns,
        t_scan_ns=start_ns + 300 * MS,
        t_scan_end_ns=start_ns + 330 * MS,
        t_received_ns=start_ns + 331 * MS,
        t_responses_ns=start_ns + 333 * MS,
        t_ready_ns=start_ns + 353 * MS,
        lag_frames=8,
        steps=3,
        objective=0.0,
        warm=True,
        late=late,
    )


def test_a_source_without_end_is_named_and_nothing_is_called_complete_to_its_end(
    tmp_path: Path,
) -> None:
    start = Start("s", config_yaml="", git_revision="", twin_hash="")
    end = End("s", reason="stopped")
    sent = [("bridge", start), ("stimulus", start), ("stimulus", end)]
    summary = summarise(recorded(tmp_path / "s", sent))
    assert summary.without_end == ["bridge"]
    assert "The log holds no END of bridge: last messages can be missing." in summary.text()
    assert "no message was lost before its end" in summary.text()
    whole = summarise(recorded(tmp_path / "t", [*sent, ("bridge", end)]))
    assert whole.without_end == []
    assert "no message was lost;" in whole.text()


def recorded(
    folder: Path,
    extra: Sequence[tuple[str, Body]] = (),
    *,
    mask: Path | None = None,
    timed: bool = True,
) -> SessionLayout:
    """A session of 149 reconstructions; without times of the decoder, as a replay records it."""
    session = named_session(folder)
    evaluate = EvaluateConfig(warm_up_s=0.5, period_s=1.0, screen_mask=mask)
    write_config(RunConfig(evaluate=evaluate), session.config)
    tape, shown = Recorder(session.folder, flush_s=1.0, clock=HostClock()), movie()
    seqs: dict[str, int] = {}

    def write(source: str, body: Body, t_ns: int) -> None:
        seq = seqs.get(f"{source}/{body.kind}", 0)
        seqs[f"{source}/{body.kind}"] = seq + 1
        message = Stamped(source, seq, t_ns, "host", body)
        tape.write(pack(message), message, t_ns)

    for n in range(FRAMES):
        frame = n + 1000
        t_ns = GRID.start_ns(frame)
        write("stimulus", DisplayedFrame("clip", n, shown[n], t_ns, 1), t_ns)
        if n < FRAMES - 1:
            back = reconstruction(frame, 255 - 0.5 * shown[n], late=n % 10 == 0)
            if not timed:
                received_ns = back.t_received_ns
                back = replace(back, t_responses_ns=received_ns, t_ready_ns=received_ns)
            write("emit", back, back.t_ready_ns + 7 * MS)
    for source, body in extra:
        write(source, body, GRID.start_ns(2000))
    tape.close()
    return session


def test_the_figures_are_those_of_the_log(tmp_path: Path) -> None:
    summary = summarise(recorded(tmp_path / "s"))
    assert summary.complete
    assert summary.fps_out == pytest.approx(30.0, rel=1e-6)
    assert summary.late_percent == pytest.approx(100 * 15 / 149)
    assert summary.video_r == pytest.approx(-1.0, abs=1e-6)
    assert summary.lag_frames == 8
    assert summary.messages == {"stimulus/displayed_frame": 150, "emit/reconstruction": 149}
    expected = {"scan": 30, "transport": 1, "calcium": 2, "decode": 20, "pacing": 7}
    found = {name: summary.stages_ms[name].p50 for name in expected}
    assert found == pytest.approx(expected, rel=0.02)


def test_clocks_of_other_hosts_are_stated(tmp_path: Path) -> None:
    counters = {
        "clock_offset_ms": -2999.987,
        "clock_drift_ppm": 181.0,
        "clock_drift_uncertainty_ppm": 24.0,
    }
    heartbeats = [
        ("bridge", Health("running", "", {**counters, "clock_uncertainty_ms": worst}))
        for worst in (5.2, 4.1)
    ]
    summary = summarise(recorded(tmp_path / "s", extra=heartbeats))
    assert (
        "The clock of bridge was 2.999987 s behind the main host's, with a drift of 181 ± 24 ppm; "
        "times of this host are right within 5.2 ms."
    ) in summary.sentences()
    assert summary.as_json()["clocks"][0]["uncertainty_ms"] == 4.1
    assert summarise(recorded(tmp_path / "t")).clocks == []


def test_a_repaired_log_is_not_called_complete(tmp_path: Path) -> None:
    session = recorded(tmp_path / "s")
    session.log.write_bytes(session.log.read_bytes()[:-2000])
    recover(session.folder)
    summary = summarise(session)
    assert (summary.complete, summary.repaired) == (True, True)
    first = summary.sentences()[0]
    assert "the log is repaired and holds only the messages that could be read" in first
    assert "complete" not in first


def test_a_repaired_log_with_a_torn_end_does_not_ask_for_a_second_repair(tmp_path: Path) -> None:
    session = recorded(tmp_path / "s")
    data = session.log.read_bytes()
    session.log.write_bytes(data[: len(data) // 2])
    assert "see `rtdecode recover`" in summarise(session).text()
    recover(session.folder)
    summary = summarise(session)
    assert not summary.complete
    assert "the log is repaired and holds only the messages" in summary.sentences()[0]
    assert "see `rtdecode recover`" not in summary.text()
    assert "The log ends early" in summary.text()


def test_a_log_that_ends_on_a_full_disk_is_not_called_complete(tmp_path: Path) -> None:
    full = Event("alarm", "recorder", "disk_full", "the disk is full")
    summary = summarise(recorded(tmp_path / "s", extra=[("recorder", full)]))
    assert not summary.complete
    first = summary.sentences()[0]
    assert (
        "the log is readable and ends where the disk was full; no message was lost before" in first
    )


def test_scans_that_a_restarted_decoder_missed_are_stated(tmp_path: Path) -> None:
    pixels, counts = np.zeros((4, 4), np.uint16), np.ones(3, np.float32)
    scans = [("bridge", Scan(pixels, n, 0, n, n + 1)) for n in range(5)]
    started = [("decoder", Start("s", "", "", ""))]
    shift_px = np.zeros(2, np.float32)
    decoded = [("decoder", Fluorescence(counts, counts, n, n, shift_px)) for n in (0, 1, 4)]
    summary = summarise(recorded(tmp_path / "s", [*scans, *started, *decoded]))
    assert (summary.scans, summary.scans_not_decoded) == (5, 2)
    assert "2 of 5 scans were recorded but not decoded." in summary.sentences()


def of_planes(session: SessionLayout, planes: int, decoded: Sequence[int]) -> SessionLayout:
    """The session with the config of a run that scanned `planes` planes."""
    config = read_config(session.config)
    calcium = config.calcium.model_copy(update={"planes": planes, "decoded_planes": tuple(decoded)})
    write_config(config.model_copy(update={"calcium": calcium}), session.config)
    return session


@pytest.mark.parametrize(
    ("decoded", "missing", "to_decode"), [((0, 2), 3, 13), ((1,), 0, 7), ((0, 1, 2), 4, 20)]
)
def test_scans_of_several_planes_that_were_not_decoded_are_stated(
    tmp_path: Path, decoded: Sequence[int], missing: int, to_decode: int
) -> None:
    """20 scans of 3 planes in turn, of which the decoder lacked those with the numbers 5 to 8."""
    pixels, counts, still = (
        np.zeros((4, 4), np.uint16),
        np.ones(3, np.float32),
        np.zeros(2, np.float32),
    )
    scans = [("bridge", Scan(pixels, n, n % 3, n, n + 1)) for n in range(20)]
    lacking = {5, 6, 7, 8} if decoded != (1,) else set[int]()
    found = [
        ("decoder", Fluorescence(counts, counts, n, n, still, n % 3))
        for n in range(20)
        if n % 3 in decoded and n not in lacking
    ]
    started = [("decoder", Start("s", "", "", ""))]
    session = of_planes(recorded(tmp_path / "s", [*scans, *started, *found]), 3, decoded)
    summary = summarise(session)
    assert (summary.scans, summary.scans_to_decode) == (20, to_decode)
    assert summary.scans_not_decoded == missing
    which = "" if to_decode == 20 else " of the decoded planes"
    sentence = f"{missing} of {to_decode} scans{which} were recorded but not decoded."
    assert (sentence in summary.sentences()) == (missing > 0)


def test_frames_that_the_deadline_cut_short_are_counted(tmp_path: Path) -> None:
    """The recorded frames have 3 steps each."""
    session = recorded(tmp_path / "s")
    config = read_config(session.config)
    for steps, expected in ((3, 0), (4, 149)):
        decode = DecodeConfig(steps=steps)
        write_config(config.model_copy(update={"decode": decode}), session.config)
        summary = summarise(session)
        assert summary.frames_with_fewer_steps == expected
        assert ("149 frames had fewer solver steps" in summary.text()) == (expected > 0)


def test_without_a_decoder_scans_and_neurons_are_stated(tmp_path: Path) -> None:
    activity = Responses(np.zeros(7, np.float32), np.ones(7, bool), 0, 0, 0, 0, 0, 0)
    bodies = [("bridge", Scan(np.zeros((4, 4), np.uint16), n, 0, n, n + 1)) for n in range(4)]
    session = recorded(tmp_path / "s", [*bodies, ("decoder", activity)])
    config = read_config(session.config)
    write_config(config.model_copy(update={"decode": None}), session.config)
    summary = summarise(session)
    assert summary.neurons == 7
    assert summary.as_json()["causality"] == "causal"
    assert "Recorded: 4 scans and the activity of 7 neurons." in summary.sentences()


def test_gaps_in_the_log_are_losses(tmp_path: Path) -> None:
    gaps = [("recorder", Gap("bridge/scan", 4, 2, "recorder"))]
    summary = summarise(recorded(tmp_path / "s", gaps))
    assert summary.lost_messages == 2
    assert summary.lost_by_stream == {"bridge/scan": 2}
    assert "lost messages: 2 of bridge/scan" in summary.text()


def scans_lost(count: int) -> tuple[str, Event]:
    text = "the microscope lost scans"
    return "bridge", Event("warning", "bridge", "scans_lost", text, {"scans": count})


def test_scans_lost_by_the_microscope_are_counted_apart_from_lost_messages(tmp_path: Path) -> None:
    gap = ("recorder", Gap("bridge/scan", 4, 2, "recorder"))
    summary = summarise(recorded(tmp_path / "s", [scans_lost(45), gap, scans_lost(15)]))
    assert (summary.lost_scans, summary.lost_messages) == (60, 2)
    assert "The microscope lost 60 scans, by its own numbers." in summary.sentences()


def test_events_of_one_code_are_one_sentence_with_the_sum_of_their_counts(tmp_path: Path) -> None:
    other = ("decoder", Event("warning", "decoder", "black", "the scans are black"))
    summary = summarise(recorded(tmp_path / "s", [scans_lost(45), other, scans_lost(15), other]))
    assert [event.times for event in summary.events] == [2, 2]
    assert summary.sentences()[-2:] == [
        "Event in the bridge: the microscope lost scans (scans: 60), at 33.3 s.",
        "Event in the decoder: the scans are black (2 times), at 33.3 s.",
    ]


def test_what_a_process_missed_is_not_counted_as_lost_from_the_log(tmp_path: Path) -> None:
    gaps = [(who, Gap("bridge/scan", 4, 2, who)) for who in ("decoder", "recorder")]
    summary = summarise(recorded(tmp_path / "s", gaps))
    assert summary.lost_by_stream == {"bridge/scan": 2}
    assert summary.missed == {"bridge/scan by decoder": 2}
    expected = "Messages were missed, which the log can have: 2 of bridge/scan by decoder."
    assert expected in summary.sentences()


def test_a_log_is_not_called_free_of_losses_where_a_failed_process_held_messages(
    tmp_path: Path,
) -> None:
    events = [("supervisor", event) for event in restart_events("bridge", held_mb=0.25)]
    text = summarise(recorded(tmp_path / "s", events)).text()
    assert "no message was lost" not in text
    assert "those that the recorder had not taken are not in the log (held_kb: 250)" in text


def test_the_sentences_state_the_figures(tmp_path: Path) -> None:
    text = summarise(recorded(tmp_path / "s")).text()
    for part in (
        "log is complete",
        "no message was lost",
        "149 frames were decoded with a lag of 8 frames: 30.0 per second, of which 10.1 % were",
        "video r -1.00",
        "all 2,304 pixels of the screen",
        "a median of 93 ms after the newest frame",
        "scan 30, transport 1.0, calcium 2.0, decode 20, pacing 7.0",
    ):
        assert part in text
    assert "not measured" not in text


def test_the_pixels_of_the_screen_mask_are_counted(tmp_path: Path) -> None:
    mask = np.zeros((36, 64), bool)
    mask[:10, :7] = True
    np.save(tmp_path / "mask.npy", mask)
    summary = summarise(recorded(tmp_path / "s", mask=tmp_path / "mask.npy"))
    assert (summary.scored_pixels, summary.screen_pixels) == (70, 2304)
    assert "the 70 of 2,304 pixels of the screen mask" in summary.text()


def test_the_running_score_is_that_of_the_frames_and_the_final_one_no_part_of_it(
    tmp_path: Path,
) -> None:
    over_time = summarise(recorded(tmp_path / "s")).video_r_over_time
    seconds = [t_s for t_s, _ in over_time]
    assert len(seconds) == 4  # 149 frames without 15 of warm-up, one score each second
    np.testing.assert_allclose(np.diff(seconds), 1.0, atol=0.05)
    np.testing.assert_allclose([video_r for _, video_r in over_time], -1.0, atol=1e-6)


def test_stages_that_a_replay_does_not_time_are_not_given_as_0_ms(tmp_path: Path) -> None:
    summary = summarise(recorded(tmp_path / "s", timed=False))
    assert set(summary.stages_ms) == {"scan", "transport", "behind_newest_scan"}
    assert (summary.fps_out, summary.late_percent) == (None, None)
    assert "149 frames were decoded with a lag of 8 frames.\n" in summary.text()
    assert "The latency of calcium, decode, pacing was not measured" in summary.text()
    assert " 0 ms" not in summary.text()


def test_a_session_without_reconstructions_has_no_score(tmp_path: Path) -> None:
    summary = summarise(empty(tmp_path / "s", RunConfig()))
    assert summary.video_r is None
    assert summary.fps_out == 0
    assert len(summary.sentences()) == 2
    assert "the decoder gave no frame" in summary.text()


def test_a_session_that_ends_within_the_warm_up_states_that_nothing_was_scored(
    tmp_path: Path,
) -> None:
    session = recorded(tmp_path / "s")
    write_config(RunConfig(evaluate=EvaluateConfig(warm_up_s=60.0)), session.config)
    expected = "Nothing was scored: no frame that was decoded after the warm-up"
    assert expected in summarise(session).text()


def test_a_session_without_a_decoder_states_that_its_config_has_none(tmp_path: Path) -> None:
    summary = summarise(empty(tmp_path / "s", RunConfig(decode=None)))
    assert not summary.decoder
    assert "Nothing was decoded or scored: the config has no decoder" in summary.text()


def test_a_session_whose_processes_leave_out_the_decoder_states_that(tmp_path: Path) -> None:
    summary = summarise(empty(tmp_path / "s", RunConfig(processes=(Role.RECORDER, Role.BRIDGE))))
    assert "the processes of the run do not include the decoder" in summary.text()


KINDS = (
    "live",
    "masked",
    "replay",
    "lost",
    "missed",
    "scans lost",
    "no decoder",
    "no frame",
    "wire version 1",
)


@pytest.mark.parametrize("kind", KINDS)
def test_report_and_json_print_the_sentences_of_the_terminal(tmp_path: Path, kind: str) -> None:
    session = session_of_kind(kind, tmp_path)
    with (tmp_path / "terminal").open("w", encoding="utf-8") as file:
        summarise_and_report(session, Console(file=file))
    summary = summarise(session)
    printed = (tmp_path / "terminal").read_text().splitlines()
    assert [line for line in printed if line in summary.sentences()] == summary.sentences()
    assert (session.report / "summary.txt").read_text().splitlines() == summary.sentences()
    page = (session.report / "index.html").read_text(encoding="utf-8")
    paragraphs = [unescape(text) for text in re.findall(r"<p>(.*?)</p>", page)]
    assert paragraphs[: len(summary.sentences())] == summary.sentences()
    write_summary(summary, tmp_path / "summary.json")
    figures = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    stages = {name: StageLatency(**stage) for name, stage in figures.pop("stages_ms").items()}
    events = [EventSum(**event) for event in figures.pop("events")]
    loop = LoopFigures(**{one.name: figures.pop(one.name) for one in fields(LoopFigures)})
    assert figures.pop("begins_utc") == summary.begins_utc
    read_back = SessionSummary(stages_ms=stages, events=events, loop=loop, **figures)
    assert read_back.sentences() == summary.sentences()


def session_of_kind(kind: str, folder: Path) -> SessionLayout:
    if kind == "masked":
        np.save(folder / "mask.npy", np.arange(36 * 64).reshape(36, 64) < 500)
        return recorded(folder / "s", mask=folder / "mask.npy")
    if kind in ("no decoder", "no frame"):
        config = RunConfig(decode=None) if kind == "no decoder" else RunConfig()
        return empty(folder / "s", config)
    if kind == "wire version 1":
        (folder / "s" / "report").mkdir(parents=True)
        return session_at(Path(copytree(GOLDEN, folder / "s", dirs_exist_ok=True)))
    extra = {
        "lost": [("recorder", Gap("bridge/scan", 4, 2, "recorder"))],
        "missed": [("decoder", Gap("bridge/scan", 4, 2, "decoder"))],
        "scans lost": [scans_lost(60)],
    }
    return recorded(folder / "s", extra.get(kind, []), timed=kind != "replay")


def empty(folder: Path, config: RunConfig) -> SessionLayout:
    session = named_session(folder)
    write_config(config, session.config)
    Recorder(session.folder, flush_s=1.0, clock=HostClock()).close()
    return session


def test_sources_whose_end_is_missing_are_stated(tmp_path: Path) -> None:
    started = [(who, Start("s", "", "", "")) for who in ("supervisor", "decoder", "bridge")]
    ended = [("bridge", End("s", "stopped", {}))]
    summary = summarise(recorded(tmp_path / "s", [*started, *ended]))
    assert summary.without_end == ["supervisor", "decoder"]
    assert summary.sentences()[1:3] == [
        "The run's end was not recorded, as after a kill of the command or of the recorder.",
        "The log holds no END of decoder: last messages can be missing.",
    ]


def test_a_source_that_starts_again_after_its_end_has_not_ended(tmp_path: Path) -> None:
    start, end = ("decoder", Start("s", "", "", "")), ("decoder", End("s", "stopped", {}))
    assert summarise(recorded(tmp_path / "s", [start, end, start])).without_end == ["decoder"]
