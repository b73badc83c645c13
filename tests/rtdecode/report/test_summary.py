"""The figures of a session follow from its log, and are told in words."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.report.summary import Summary, summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Body, DisplayedFrame, Gap, Reconstruction, Stamped
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.recorder import Recorder

GRID = FrameGrid(30.0)
FRAMES = 150
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


def recorded(folder: Path, extra: Sequence[tuple[str, Body]] = ()) -> SessionLayout:
    session = named_session(folder)
    write_config(RunConfig(evaluate=EvaluateConfig(warm_up_s=0.5)), session.config)
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
            write("emit", replace(back, late=n % 10 == 0), back.t_ready_ns + 7 * MS)
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


def test_gaps_in_the_log_are_losses(tmp_path: Path) -> None:
    gaps = [("decoder", Gap("bridge/scan", 4, 2, "decoder"))]
    summary = summarise(recorded(tmp_path / "s", gaps))
    assert summary.lost_messages == 2
    assert summary.lost_by_stream == {"bridge/scan": 2}
    assert "lost: 2 of bridge/scan" in summary.in_words()


def test_words_say_what_the_figures_say(tmp_path: Path) -> None:
    words = summarise(recorded(tmp_path / "s")).in_words()
    for part in ("log is complete", "lost: nothing", "30.0 frames a second", "video r -1.00"):
        assert part in words


def test_a_session_without_reconstructions_has_no_score(tmp_path: Path) -> None:
    session = named_session(tmp_path / "s")
    write_config(RunConfig(), session.config)
    Recorder(session.folder, flush_s=1.0, clock=HostClock()).close()
    summary: Summary = summarise(session)
    assert summary.video_r is None
    assert summary.fps_out == 0
    assert summary.in_words().count("\n") == 0
