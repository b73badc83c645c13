"""Each frame of the grid has what was displayed in its middle, and what was decoded of it."""

from pathlib import Path

import numpy as np
import pytest
from shown_run import CLIPS, COLS, FRAMES, LAG, ROWS, write_shown_run
from written_run import WrittenRun

from rtdecode.export import moments as module
from rtdecode.export.moments import Moment, Moments
from rtdecode.export.span import Span
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import TimeSpanError
from rtdecode.schema.messages import DisplayedFrame, Reconstruction
from rtdecode.session.recorded import RecordedSession

FIRST = 4_000_000
ZERO = np.zeros((2, 3), np.float32)


def of(session: RecordedSession, *span_s: float) -> list[Moment]:
    return list(Moments(session, Span(*span_s)))


def test_every_frame_is_there_with_what_belongs_to_it(
    session: RecordedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)
    found = of(session)
    assert len(found) == FRAMES
    np.testing.assert_allclose(
        [one.t_s for one in found], (np.arange(FRAMES) + 0.5) / 30, atol=1e-6
    )
    clips = [clip for clip, frames in CLIPS for _ in range(frames)]
    assert [one.clip for one in found] == clips
    for k, one in enumerate(found):
        assert one.displayed is not None
        assert one.displayed.shape == (ROWS, COLS)
        assert one.displayed[0, 0] == k
        if k < FRAMES - LAG:
            assert one.decoded is not None
            assert one.decoded[0, 0] == k + 0.25
            assert one.uncertainty is not None
        else:
            assert one.decoded is None is one.uncertainty
    scored = [one.video_r for one in found]
    assert np.isnan(scored[0])
    assert scored[31:] == [0.29] * 28 + [0.59] * 30 + [0.89] * (FRAMES - 89)


def test_a_span_is_cut_by_the_middles_of_frames(session: RecordedSession) -> None:
    found = of(session, 0.5, 1.0)
    assert (found[0].t_s, found[-1].t_s) == (pytest.approx(15.5 / 30), pytest.approx(29.5 / 30))
    with pytest.raises(TimeSpanError):
        Moments(session, Span(50, 60))


def test_a_session_without_reconstructions_has_displayed_frames(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", decoded=False).folder)
    found = of(session)
    assert len(found) == FRAMES
    assert all(one.displayed is not None for one in found)
    assert [one.decoded for one in found] == [None] * FRAMES
    assert Moments(session, Span()).shape == (ROWS, COLS)


def decoded(frame: int, grey: float = 1.0) -> Reconstruction:
    times = [frame * 33_333_333] * 6
    luminance = np.full((2, 3), grey, np.float32)
    return Reconstruction(luminance, ZERO, frame, *times, 8, 3, 1.0, warm=True, late=False)


def test_what_was_on_the_screen_is_not_guessed_over_lost_messages(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run", RunConfig())
    run.start("stimulus", "emit", frame=FIRST)
    for k in range(20):
        flip_ns = run.grid.start_ns(FIRST + k)
        frame = DisplayedFrame("clip", k, np.full((2, 3), k, np.uint8), flip_ns, 1, k)
        run.send("stimulus", frame, FIRST + k, arrives=k not in {5, 6, 7})
        run.send("emit", decoded(FIRST + k), FIRST + k, arrives=k not in {10, 11})
    run.send("emit", decoded(FIRST + 3, grey=9.0), FIRST + 20)
    found = of(RecordedSession(run.end().folder))[:20]
    unknown = [k for k, one in enumerate(found) if one.displayed is None]
    assert unknown == [4, 5, 6, 7]
    assert {found[k].clip for k in unknown} == {""}
    assert [k for k, one in enumerate(found) if one.decoded is None] == [10, 11]
    again = found[3].decoded
    assert again is not None
    assert again[0, 0] == 9
    # zeros on the wire stand for an uncertainty that was not computed
    assert all(one.uncertainty is None for one in found)


def test_displayed_frames_may_be_absent(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run", RunConfig())
    run.start("emit", frame=FIRST)
    for k in range(5):
        run.send("emit", decoded(FIRST + k), FIRST + k)
    found = of(RecordedSession(run.end().folder))
    assert [one.displayed for one in found] == [None] * 5
    assert all(one.decoded is not None for one in found)
