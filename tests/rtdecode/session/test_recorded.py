"""A recorded session gives its streams with their times, and reads no more than is asked for."""

from pathlib import Path

import numpy as np
import pytest
from shown_run import CLIPS, COLS, FIRST, FRAMES, LAG, NEURONS, ROWS, SCAN_PX, write_shown_run
from split_log import split_copy

from rtdecode.runtime.codec import unpack
from rtdecode.schema.errors import (
    ArgumentValueError,
    MissingFileError,
    NoSuchClipError,
    NoSuchStreamError,
    SizeChangedError,
    TimeBeforeStreamError,
    UnreadableFileError,
)
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.session.layout import SessionLayout
from rtdecode.session.message_heads import message_head
from rtdecode.session.message_index import index_of
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_facts import RecordedEvent, read_rois
from rtdecode.session.recorded_log import heads_in
from rtdecode.session.recorded_stream import RecordedStream
from rtdecode.session.stream_kinds import STREAM_KINDS

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "session_wire1"
GRID = FrameGrid(30.0)
SCAN_BYTES = SCAN_PX * SCAN_PX * 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SessionLayout:
    return write_shown_run(tmp_path_factory.mktemp("shown") / "run")


@pytest.fixture
def session(written: SessionLayout) -> RecordedSession:
    return RecordedSession(written.folder)


def seconds(frame: float) -> float:
    """From the first message, at the first frame, to the start of `frame`."""
    return frame / 30


def test_every_stream_has_its_values_and_its_times(session: RecordedSession) -> None:
    assert session.streams == tuple(STREAM_KINDS)
    displayed, decoded = session.displayed.load(), session.decoded.load()
    assert displayed.shape == session.displayed.shape == (FRAMES, ROWS, COLS)
    np.testing.assert_array_equal(displayed.values[:, 0, 0], np.arange(FRAMES))
    np.testing.assert_allclose(displayed.t_s, seconds(np.arange(FRAMES)), atol=1e-8)
    np.testing.assert_array_equal(decoded.values[:, 0, 0], np.arange(FRAMES - LAG) + 0.25)
    np.testing.assert_allclose(decoded.t_s, seconds(np.arange(FRAMES - LAG) + 0.5), atol=1e-8)
    assert decoded.t_ns[0] == GRID.middle_ns(FIRST)
    assert decoded.coords["lag_frames"][1].tolist() == [LAG] * len(decoded)
    assert (session.uncertainty.values == 2).all()
    assert session.behaviour.values[:, 0].tolist() == list(range(FRAMES))
    assert session.behaviour.coords["channel"][1][0] == "running_cm_s"
    assert session.fluorescence.shape == (FRAMES, NEURONS)
    assert session.scans[3:4].values.mean() == 3


def test_activity_that_was_not_measured_is_nan(session: RecordedSession) -> None:
    activity = session.activity.values
    assert np.isnan(activity[1::2, 1]).all()
    kept = np.delete(activity, 1, axis=1)
    np.testing.assert_array_equal(kept, np.arange(FRAMES)[:, None].repeat(NEURONS - 1, 1))


def test_running_scores_are_without_the_final_one(session: RecordedSession) -> None:
    assert session.scores.values[:, 0].tolist() == [0.29, 0.59, 0.89]
    assert len(session.scores) == 3
    assert session.counts["evaluate/score"] == 4


def test_parts_by_number_time_and_clip_are_the_same_values(session: RecordedSession) -> None:
    decoded = session.decoded
    whole = decoded.load()
    np.testing.assert_array_equal(decoded[5:9].values, whole.values[5:9])
    np.testing.assert_array_equal(decoded[-1], whole[-1])
    np.testing.assert_array_equal(decoded[3], whole.values[3])
    assert decoded.between(90, 99).load().shape == (0, *whole.shape[1:])
    part = decoded.between(1.0, 2.0)
    assert part.load().t_s.tolist() == whole.between(1.0, 2.0).t_s.tolist()
    assert part.t_s.min() >= 1
    assert part.t_s.max() < 2
    assert len(part) == 30
    first = CLIPS[0][1]
    assert session.displayed.of_clip("grains").values[:, 0, 0].tolist() == [
        *range(first, first + CLIPS[1][1])
    ]
    assert len(session.displayed.of_clip("waves")) == CLIPS[0][1] + CLIPS[2][1]
    again = session.decoded.of_clip("waves", presentation=1)
    assert again.values[:, 0, 0].tolist() == [k + 0.25 for k in range(75, FRAMES - LAG)]
    assert len(session.activity.of_clip("grains")) == CLIPS[1][1]


def test_the_frame_on_the_screen_at_a_time_is_its_ground_truth(session: RecordedSession) -> None:
    times = session.decoded[3:8].t_s
    assert session.displayed.at(times).values[:, 0, 0].tolist() == [3, 4, 5, 6, 7]
    assert len(session.displayed.at(1.0)) == 1
    with pytest.raises(
        TimeBeforeStreamError, match=r"no value at -1\.000 s: its first one is at 0"
    ):
        session.displayed.at([-1, 1])


def test_opening_and_cutting_read_no_array_that_is_not_asked_for(session: RecordedSession) -> None:
    assert session.bytes_read == 0
    assert len(session.decoded) == FRAMES - LAG
    session.decoded[10:12].load()
    frame_bytes = ROWS * COLS * 4
    assert 2 * 2 * frame_bytes < session.bytes_read < 2 * 2 * frame_bytes + 2000
    before = session.bytes_read
    assert session.scans.t_s.size == FRAMES
    assert session.bytes_read - before < FRAMES * 1000 < FRAMES * SCAN_BYTES / 30
    before = session.bytes_read
    session.scans.between(1, 1.1).load()
    assert session.bytes_read - before < 3 * SCAN_BYTES + 2000


def test_heads_are_the_messages_without_their_arrays(written: SessionLayout) -> None:
    index = index_of(written.log)
    with index.opened() as messages:
        for kind in STREAM_KINDS.values():
            places = index.places[kind.stream]
            whole = [unpack(messages.content(places, number)) for number in range(3)]
            heads = [message_head(messages, places, number) for number in range(3)]
            expected, found = heads_in(kind, whole), heads_in(kind, heads)
            assert found.t_ns.tolist() == expected.t_ns.tolist()
            assert {name: column.tolist() for name, column in found.coords.items()} == {
                name: column.tolist() for name, column in expected.coords.items()
            }


def test_clips_events_and_trials_are_values(session: RecordedSession) -> None:
    shown = [(one.clip, one.n_frames, one.number) for one in session.presentations]
    assert shown == [("waves", 40, 0), ("grains", 35, 0), ("waves", 15, 1)]
    assert session.presentations[1].t_start_s == pytest.approx(seconds(40))
    assert session.presentations[1].t_end_s == pytest.approx(seconds(75))
    (event,) = session.events
    assert isinstance(event, RecordedEvent)
    assert (event.process, event.code, event.counts) == ("bridge", "slow", {"scans": 2.0})
    assert event.t_s == pytest.approx(seconds(FRAMES))
    assert [one.stimulus for one in session.trials] == [name for name, _ in CLIPS]
    assert session.trials[0].t_end_s == pytest.approx(seconds(40))


def test_a_session_states_itself_in_few_lines(session: RecordedSession) -> None:
    text = repr(session)
    assert "run: 3.0 s, complete" in text
    assert "<decoded (time 86, row 36, col 64), grey level (0-255), 30.0 Hz, 2.8 s>" in text
    assert len(text.splitlines()) == 1 + len(session.streams)
    assert session.metadata["frame_rate_hz"] == 30
    assert session.metadata["session"] == "run"
    assert session.metadata["animal"]["species"] == "Mus musculus"


def test_a_session_without_decoder_names_what_it_has(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", decoded=False).folder)
    with pytest.raises(NoSuchStreamError, match=r"no decoded \(its config has no decoder\)"):
        _ = session.decoded
    with pytest.raises(NoSuchStreamError, match="displayed, activity, fluorescence"):
        session.stream("luminance")
    assert session.trials


def test_a_clip_that_was_not_displayed_is_named(session: RecordedSession) -> None:
    with pytest.raises(NoSuchClipError, match="'rain'; it displays waves, grains"):
        session.decoded.of_clip("rain")
    with pytest.raises(NoSuchClipError, match="presentation '2'"):
        session.decoded.of_clip("waves", presentation=2)


def test_planes_are_read_one_by_one(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", planes=2).folder)
    assert session.fluorescence.of_plane(1).shape == (FRAMES, NEURONS + 1)
    assert len(session.scans.of_plane(0)) == FRAMES
    with pytest.raises(SizeChangedError, match="of_plane"):
        session.fluorescence.load()
    with pytest.raises(NoSuchStreamError, match="it has plane 0, plane 1"):
        session.fluorescence.of_plane(2)


def everything(stream: RecordedStream) -> list[bytes]:
    loaded = stream.load()
    return [loaded.values.tobytes(), loaded.t_ns.tobytes()]


def test_a_log_in_parts_gives_the_same(
    written: SessionLayout, session: RecordedSession, tmp_path: Path
) -> None:
    split_copy(written.log, tmp_path / "log.mcap", parts=3)
    assert len(list(tmp_path.glob("*.mcap"))) >= 3
    parts = RecordedSession(tmp_path)
    assert parts.complete
    for name in session.streams:
        assert everything(parts.stream(name)) == everything(session.stream(name))


def test_a_log_without_index_is_scanned_and_states_it(
    written: SessionLayout, session: RecordedSession, tmp_path: Path
) -> None:
    content = written.log.read_bytes()
    (tmp_path / "log.mcap").write_bytes(content[: len(content) * 2 // 3])
    torn = RecordedSession(tmp_path)
    assert not torn.complete
    assert torn.damage[0].last_ns is None
    assert "incomplete or damaged" in repr(torn)
    n = len(torn.displayed)
    assert FRAMES / 2 < n < FRAMES
    np.testing.assert_array_equal(torn.displayed.values, session.displayed[:n].values)


def test_damage_within_a_chunk_is_found_by_the_check(
    written: SessionLayout, tmp_path: Path
) -> None:
    content = bytearray(written.log.read_bytes())
    content[content.index(b"displayed_frame", len(content) // 2) + 300] ^= 1
    (tmp_path / "log.mcap").write_bytes(content)
    damaged = RecordedSession(tmp_path)
    assert damaged.check()[0].loses_messages
    assert RecordedSession(written.folder).check() == ()


def test_a_flipped_byte_gives_values_or_a_named_error_and_is_left_out_where_all_is_checked(
    written: SessionLayout, session: RecordedSession, tmp_path: Path
) -> None:
    """One byte after another of a message, its head and its array."""
    content, named = written.log.read_bytes(), 0
    places = session._index.places["stimulus/displayed_frame"]
    number = len(places) // 2
    start = int(places.at[number])
    for at in range(start, start + 260):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        (tmp_path / "log.mcap").write_bytes(damaged)
        try:
            assert RecordedSession(tmp_path).displayed[number].shape == (ROWS, COLS)
        except UnreadableFileError as error:
            named += str(tmp_path / "log.mcap") in str(error)
    assert named > 20
    checked = RecordedSession(tmp_path, checked=True)
    assert any(one.loses_messages for one in checked.damage)
    assert len(checked.displayed.load()) == len(checked.displayed) < FRAMES


def test_a_time_that_is_no_number_is_named(session: RecordedSession) -> None:
    with pytest.raises(ArgumentValueError, match="t_s is NaN: give times in s"):
        session.displayed.at([1.0, float("nan")])


def test_a_session_of_wire_version_1_opens() -> None:
    session = RecordedSession(GOLDEN)
    assert len(session.displayed) == session.counts["stimulus/displayed_frame"]
    assert session.fluorescence.load().values.ndim == 2
    assert np.isfinite(session.decoded.load().t_s).all()


@pytest.mark.parametrize("name", ["film.mp4", "nothing", "empty"])
def test_a_path_that_is_no_session_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    (tmp_path / "empty").mkdir()
    with pytest.raises((MissingFileError, UnreadableFileError), match=name):
        RecordedSession(str(tmp_path / name))
    assert read_rois(tmp_path) == {}
