"""The closed loop in the report: each action with cause and effect, and what its policy saw."""

import csv
import io
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from written_run import WrittenRun

from rtdecode.evaluate.loop_latency import LoopLatency
from rtdecode.report.build import report_session
from rtdecode.report.closed_loop import (
    ActionRow,
    LoopRecord,
    Presentation,
    actions_csv,
    chosen_clips,
    has_failed,
    is_withheld,
)
from rtdecode.report.closed_loop_figures import (
    cause_and_effect,
    lanes_of,
    latency_histograms,
    timeline,
)
from rtdecode.report.closed_loop_page import TABLE
from rtdecode.report.policy_figures import score_by_clip
from rtdecode.report.policy_panels import policy_view
from rtdecode.report.summary import summarise
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Acknowledgement, Action, ClipRole, Delivery, Observed
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Body, DisplayedFrame, Reconstruction, Responses, Score, Stamped

MS = 1_000_000
GRID, FIRST, FRAMES = FrameGrid(30.0), 1000, 240
SCREEN = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
CAUSE = "emit/reconstruction", 30
RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 255, (FRAMES, 6, 8)).astype(np.uint8)


def config_of(policy: str, **options: Any) -> RunConfig:
    control = {"policy": {"name": policy, "options": options}}
    return RunConfig.model_validate({"stimulus": SCREEN, "control": control})


def action(number: int, name: str = "trigger", **changed: Any) -> Action:
    times = {"t_cause_ns": 1000 * MS, "t_scan_ns": 1100 * MS, "t_observed_ns": 1140 * MS}
    made = Action(number, name, "mine", "sent", *CAUSE, **times, t_decided_ns=1150 * MS)
    return replace(made, **{"target": "laser", "reason": "r 0.7 above 0.6"} | changed)


def flipped(number: int, t_ms: int, result: str = "applied", text: str = "") -> Acknowledgement:
    return Acknowledgement(number, result, "show_clip", "a", 1151 * MS, t_ms * MS, 77, text)


def stamped(body: Body, seq: int = 0) -> Stamped:
    return Stamped("test", seq, 0, "host", body)


def rows_of(*bodies: Body) -> list[ActionRow]:
    record = LoopRecord()
    for body in bodies:
        record.add(stamped(body))
    return record.rows()


ROWS = rows_of(
    Delivery(1, "laser", 1154 * MS, 4.0),
    action(0, outcome="not_armed"),
    action(1),
    action(2),
    Delivery(2, "laser", 1155 * MS, 5.0, "the port is gone"),
    action(3, "show_clip", target="clips/a.mp4"),
    flipped(3, 1180),
    action(4, "show_clip", target="clips/b.mp4", t_due_ns=1190 * MS),
    flipped(4, 1200, "late", "10 ms late"),
    action(5, "show_clip", target="clips/c.mp4"),
    flipped(5, 0, "refused", "no such clip"),
    action(6, "pause", target="", cause="time", cause_frame=-1, t_scan_ns=0),
)


def test_each_action_has_its_result_and_its_latencies() -> None:
    results = ["not_armed", "delivered", "failed", "applied", "late", "refused", "no answer"]
    assert [row.result for row in ROWS] == results
    spans = [row.latencies_ms for row in ROWS]
    assert spans[1] == {"reaction_ms": 54.0, "content_age_ms": 154.0}
    assert spans[3] == {"reaction_ms": 80.0, "content_age_ms": 180.0}
    assert [spans[n] for n in (0, 2, 4, 5, 6)] == [{}] * 5
    assert [row.after_due_ms for row in ROWS] == [None] * 4 + [10.0] + [None] * 2
    assert [row.action.number for row in ROWS if is_withheld(row)] == [0]
    assert [row.action.number for row in ROWS if has_failed(row)] == [2, 5, 6]
    assert chosen_clips(ROWS) == {"clips/a.mp4": 1, "clips/b.mp4": 1}


def test_the_csv_file_holds_cause_and_effect_of_each_action() -> None:
    read = list(csv.DictReader(io.StringIO(actions_csv(ROWS, zero_ns=1000 * MS))))
    assert [row["result"] for row in read] == [row.result for row in ROWS]
    trigger, refused = read[1], read[5]
    assert (trigger["cause"], trigger["cause_frame"], trigger["target"]) == (
        *CAUSE[:1],
        "30",
        "laser",
    )
    times = [
        float(trigger[name]) for name in ("t_cause_s", "t_scan_s", "t_decided_s", "t_effect_s")
    ]
    assert times == [0.0, 0.1, 0.15, 0.154]
    assert (float(trigger["reaction_ms"]), float(trigger["content_age_ms"])) == (54.0, 154.0)
    assert (trigger["t_due_s"], refused["t_effect_s"], refused["reaction_ms"]) == ("", "", "")
    assert (refused["text"], read[3]["frame_number"]) == ("no such clip", "77")


def test_a_presentation_ends_with_another_clip_or_an_earlier_frame() -> None:
    record = LoopRecord()
    shown = [("a", 0), ("a", 1), ("a", 0), ("b", 1), ("b", 2)]
    for n, (clip, index) in enumerate(shown):
        record.add(stamped(DisplayedFrame(clip, index, PIXELS[0], n, 1)))
    assert record.presentations == [
        Presentation("a", 0, 1),
        Presentation("a", 2, 2),
        Presentation("b", 3, 4),
    ]


def test_the_times_in_which_it_was_armed_are_those_of_its_observations() -> None:
    record = LoopRecord()
    for t_ns, armed in enumerate([False, True, True, False, False, True, True]):
        record.add(stamped(Observed("time", t_ns, t_ns, armed)))
    assert record.armed_ns == [(1, 3), (5, 6)]


def test_actions_with_many_targets_share_the_lane_of_their_kind() -> None:
    many = rows_of(*(action(n, "show_clip", target=f"clips/{n}.mp4") for n in range(30)))
    assert lanes_of(many[:3]) == [f"show_clip clips/{n}" for n in range(3)]
    assert lanes_of(many) == ["show_clip"]


def test_panels_state_why_they_have_no_data() -> None:
    axes = Figure().subplots(1, 3)
    cause_and_effect(axes[0], ROWS[:1])
    latency_histograms(axes[1], ROWS[:1])
    score_by_clip(axes[2], {}, {})
    said = [" ".join(text.get_text() for text in one.texts) for one in axes]
    for part, text in zip(
        ("no loop was timed", "No latency", "No presentation"), said, strict=True
    ):
        assert part in text


def test_the_axis_names_the_effects_and_the_numbers_of_the_actions() -> None:
    flip = action(3, "show_clip"), flipped(3, 1130)
    trigger = action(9), Delivery(9, "laser", 1154 * MS, 4.0)
    for bodies, effect, numbers in (
        (flip, "the flip that", ["3"]),
        (trigger, "the trigger that", ["9"]),
        ((*flip, *trigger), "the flip or trigger that", ["3", "9"]),
    ):
        axes = Figure().subplots()
        cause_and_effect(axes, rows_of(*bodies))
        assert effect in axes.get_xlabel()
        assert [label.get_text() for label in axes.get_yticklabels()] == numbers


def test_the_histogram_states_the_quantiles_of_the_summary() -> None:
    bodies = [(action(n, "show_clip"), flipped(n, 1130 + 13 * n)) for n in range(4)]
    loop = LoopLatency()
    for body in (one for pair in bodies for one in pair):
        loop.add(body)
    figures = loop.figures()
    axes = Figure().subplots()
    trigger = action(9), Delivery(9, "laser", 1154 * MS, 4.0)  # flips and triggers are not mixed
    latency_histograms(axes, rows_of(*(one for pair in [*bodies, trigger] for one in pair)))
    legend = axes.get_legend()
    assert legend is not None
    said = [text.get_text() for text in legend.get_texts()]
    for text, one in zip(said, (figures.reaction_ms, figures.content_age_ms), strict=True):
        assert one is not None
        assert f"median {one.p50:.0f} ms, 99th percentile {one.p99:.0f} ms" in text


def test_the_timeline_marks_effects_withheld_and_failed_actions_in_their_lanes() -> None:
    axes = Figure().subplots()
    timeline(axes, ROWS, LoopRecord(), zero_ns=0, length_s=2.0)
    marks = [line.get_marker() for line in axes.lines]
    assert (marks.count("o"), marks.count("x"), marks.count("X")) == (3, 1, 3)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    lanes = [
        "pause",
        "show_clip clips/c",
        "show_clip clips/b",
        "show_clip clips/a",
        "trigger laser",
    ]
    assert labels == [*lanes, "on the screen", "armed"]


def reconstruction(n: int, luminance: np.ndarray) -> Reconstruction:
    t_ns = GRID.start_ns(FIRST + n)
    times = [t_ns + ms * MS for ms in (17, 100, 130, 131, 140, 160)]
    return Reconstruction(
        luminance.astype(np.float32), np.zeros((6, 8), np.float32), FIRST + n, *times, 8, 3, 0.0,
        warm=True, late=False,
    )  # fmt: skip


def displayed(n: int, clip: str, index: int) -> DisplayedFrame:
    return DisplayedFrame(clip, index, PIXELS[n], GRID.start_ns(FIRST + n), 1)


def session_with(folder: Path, config: RunConfig, *, decided: list[tuple[str, Body]]) -> Any:
    """Two clips, of which the first is reconstructed exactly and the second not at all."""
    run = WrittenRun(folder, config)
    run.start("stimulus", "emit", "controller", "decoder", frame=FIRST)
    for n in range(FRAMES):
        clip = "good" if n < FRAMES // 2 else "bad"
        run.send("stimulus", displayed(n, clip, n % (FRAMES // 2)), FIRST + n)
        seen = PIXELS[n] if clip == "good" else RNG.integers(0, 255, (6, 8))
        run.send("emit", reconstruction(n, seen), FIRST + n)
    for source, body in decided:
        run.send(source, body, FIRST + FRAMES)
    return run.end()


def test_the_report_has_picture_table_and_csv_of_the_closed_loop(tmp_path: Path) -> None:
    decided = [("controller", one.action) for one in ROWS]
    decided += [("stimulus", flipped(3, 1180)), ("controller", Delivery(1, "laser", 1, 4.0))]
    config = config_of("threshold", quantity="luminance", above=140.0, output="laser")
    session = session_with(tmp_path / "s", config, decided=decided)
    report_session(session, summarise(session))
    assert (session.report / "figures" / "closed_loop.png").read_bytes().startswith(b"\x89PNG")
    assert len((session.report / TABLE).read_text().splitlines()) == 1 + len(ROWS)
    page = unescape((session.report / "index.html").read_text(encoding="utf-8"))
    for part in ("Closed loop", "3 show_clip clips/a.mp4", "r 0.7 above 0.6", "content age"):
        assert part in page


def test_a_session_without_a_policy_has_no_closed_loop(tmp_path: Path) -> None:
    config = config_of("threshold").model_copy(update={"control": None})
    session = session_with(tmp_path / "s", config, decided=[])
    report_session(session, summarise(session))
    assert not (session.report / "figures" / "closed_loop.png").exists()
    assert "Closed loop" not in (session.report / "index.html").read_text(encoding="utf-8")


def test_the_signal_of_a_threshold_is_that_of_the_recorded_reconstructions() -> None:
    config = config_of("threshold", quantity="luminance", below=90, output="laser", rows=[0, 1])
    view = policy_view(config, [])
    for n in range(20):
        view.add(stamped(reconstruction(n, PIXELS[n])))
    signal = view.panels([], zero_ns=GRID.start_ns(FIRST)).signal
    assert signal is not None
    np.testing.assert_allclose(signal.values, PIXELS[:20, :2].mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(signal.t_s, np.arange(20) / 30 + 0.017, atol=1e-6)
    assert (signal.name, signal.thresholds) == ("luminance, grey levels", [("below", 90.0)])


def test_the_signal_of_a_template_is_highest_where_its_clip_is_seen() -> None:
    options = {"template": "good", "window_frames": 5, "above": 0.6, "output": "laser"}
    config = config_of("threshold", quantity="template", **options)
    view = policy_view(config, [displayed(n, "good", n) for n in range(60)])
    for n in range(120):
        view.add(stamped(reconstruction(n, PIXELS[n])))
    signal = view.panels([], zero_ns=0).signal
    assert signal is not None
    assert signal.values[:50].min() > 0.99
    assert signal.values[-50:].max() < 0.9


def test_the_signal_of_template_match_has_one_value_for_each_reconstruction() -> None:
    shown = [displayed(n, "good" if n < 60 else "bad", n) for n in range(120)]
    view = policy_view(config_of("template_match", output="laser", window_frames=5), shown)
    for n in range(120):
        view.add(stamped(reconstruction(n, PIXELS[n])))
        view.add(stamped(Score(0.5, 0.5, 0.5, 0.0, 1.0, n, final=False)))
    signal = view.panels([], zero_ns=0).signal
    assert signal is not None
    assert (np.diff(signal.t_s) > 0).all()
    # a window across the cut agrees with neither clip
    agrees = np.r_[0:56, 60:116]
    assert signal.values[agrees].min() > 0.99 > signal.values[57]


def test_a_policy_that_cannot_be_made_again_is_named_and_costs_no_report() -> None:
    config = config_of("threshold", quantity="template", template="gone", above=0.6, output="a")
    panels = policy_view(config, []).panels([], zero_ns=0)
    assert panels.signal is None
    assert "gone" in " ".join(panels.sentences)


def test_presentations_are_scored_by_clip() -> None:
    view = policy_view(config_of("hardest_next"), [])
    for n in range(FRAMES):
        clip = ("good", "bad")[n // 80 % 2]
        view.add(stamped(displayed(n, clip, n % 80)))
        seen = PIXELS[n] if clip == "good" else RNG.integers(0, 255, (6, 8))
        view.add(stamped(reconstruction(n, seen)))
    axes = Figure().subplots()
    draw = view.panels(ROWS, zero_ns=0).draw
    assert draw is not None
    draw(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good  (0 ×)", "bad  (0 ×)"]
    good, _, bad, _ = axes.lines
    assert good.get_xdata() == pytest.approx(1.0)
    assert np.abs(bad.get_xdata()).max() < 0.2


def test_a_parameter_holds_from_its_flip_until_the_next_one() -> None:
    view = policy_view(config_of("adaptive_parameter", target=0.6), [])
    rows = rows_of(
        *(action(n, "set_parameter", target="contrast", value=v) for n, v in enumerate((1.0, 0.5))),
        flipped(0, 2000),
        flipped(1, 3000),
    )
    signal = view.panels(rows, zero_ns=0).signal
    assert signal is not None
    assert (signal.name, signal.t_s.tolist()) == ("contrast", [2.0, 3.0, 3.0])
    assert signal.values.tolist() == [1.0, 1.0, 0.5]


def test_what_was_shown_back_is_compared_with_sham() -> None:
    view = policy_view(config_of("show_back"), [])
    patterns = {clip: RNG.normal(size=(40, 40)) for clip in ("a", "b")}
    order = [(role, clip) for role in ClipRole for clip in patterns]
    for place, (role, clip) in enumerate(order):
        for index in range(40):
            seq = 40 * place + index
            frame = FIRST + seq
            flip_ns = GRID.start_ns(frame)
            shown = DisplayedFrame(role.name_of(clip), index, PIXELS[0], flip_ns, 1)
            view.add(stamped(shown, seq))
            activity = (patterns[clip][index] + RNG.normal(size=40)).astype(np.float32)
            times = (flip_ns,) * 5
            responses = Responses(activity, np.ones(40, np.bool_), frame, *times)
            view.add(stamped(responses, seq))
    panels = view.panels([], zero_ns=0)
    (sentence,) = panels.sentences
    assert "over 2 clips" in sentence
    axes = Figure().subplots()
    assert panels.draw is not None
    panels.draw(axes)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-1] == "shown back − sham"
