"""The same log, twin and config give the same reconstructions, bit for bit, at any speed."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.pipeline.replay import replay_session
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import MissingFileError, SessionExistsError
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Fluorescence,
    Health,
    Received,
    Reconstruction,
    Responses,
    Stamped,
)
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]
SCANS = 24
OF_THE_DECODER = re.compile("(decoder|emit)/")


def recorded(folder: Path, config: RunConfig, stream: list[Received]) -> SessionLayout:
    """A session of a rig with a heartbeat, whose decoder has said something else."""
    session, clock = named_session(folder), HostClock()
    write_config(config, session.config)
    tape = Recorder(session.folder, flush_s=1.0, clock=clock)
    beat = Stamped("bridge", 0, 0, "host", Health("running", "", {"scans": 3.0}))
    old = Stamped("decoder", 0, 0, "host", Health("running", "of that day", {}))
    for item in [Received(beat, 0), Received(old, 0), *stream]:
        tape.write(pack(item.message), item.message, item.t_received_ns)
    tape.close()
    return session


def replayed(session: SessionLayout, name: str, *, speed: float | None = None) -> SessionLayout:
    into = named_session(session.folder.with_name(name))
    replay_session(session, into, speed=speed)
    return into


def logged(session: SessionLayout) -> list[tuple[str, bytes]]:
    return [(entry.stream, entry.data) for entry in LogReader(session.log).logged()]


def bodies(session: SessionLayout, kind: type[Any]) -> list[Any]:
    found = (item.message.body for item in LogReader(session.log).messages())
    return [body for body in found if isinstance(body, kind)]


@pytest.fixture
def session(tmp_path: Path, rig: Any, small_run: MakeRun, twin_folder: MakeTwin) -> SessionLayout:
    return recorded(tmp_path / "recorded", small_run(twin_folder()), rig.stream(SCANS))


def test_two_replays_are_the_same_bit_for_bit_at_any_speed(session: SessionLayout) -> None:
    one, other = replayed(session, "one"), replayed(session, "other", speed=200.0)
    assert logged(one) == logged(other)
    assert len(bodies(one, Reconstruction)) > SCANS


def test_a_notebook_decodes_the_recorded_activity_to_the_same_frames(
    session: SessionLayout,
) -> None:
    from rtdecode import Decoder, open_session

    replay = open_session(replayed(session, "again").folder)
    activity, decoded = replay.activity.load(), replay.decoded.load()
    behaviour, config = replay.behaviour.load(), replay.config.decode
    assert config is not None
    assert config.twin is not None
    decoder, found = Decoder(config.twin, config=config), []
    # activity that was recorded at one time became known with one scan
    for t_logged_ns in np.unique(logged_ns := replay_times(replay.layout)):
        now = logged_ns == t_logged_ns
        known = behaviour.t_ns <= t_logged_ns
        samples = behaviour.values[known] if known.any() else np.full((1, 4), np.nan)
        given = [
            [np.interp(t_ns, behaviour.t_ns[known], column) for column in samples.T]
            if known.any()
            else decoder.twin.spec.behaviour_mean
            for t_ns in activity.t_ns[now]
        ]
        found += [*decoder.push_batch(activity.values[now], np.array(given))]
    assert len(found) == len(decoded) > SCANS
    np.testing.assert_allclose(found, decoded.values, rtol=1e-5, atol=1e-3)


def replay_times(replay: SessionLayout) -> np.ndarray:
    """When each frame of activity was recorded, in ns."""
    stream = LogReader(replay.log).messages(lambda name: name == "decoder/responses")
    return np.array([item.t_received_ns for item in stream])


def test_displayed_frames_never_reach_the_decoder(
    tmp_path: Path, rig: Any, small_run: MakeRun, twin_folder: MakeTwin
) -> None:
    config, scans, messages = small_run(twin_folder()), rig.stream(SCANS), []
    for n, item in enumerate(scans):
        picture = np.full((6, 8), 5 * n, np.uint8)
        shown = DisplayedFrame("clip", n, picture, item.t_received_ns, 1)
        messages += [Received(Stamped("stimulus", n, 0, "host", shown), item.t_received_ns), item]
    without = replayed(recorded(tmp_path / "without", config, scans), "one")
    with_frames = replayed(recorded(tmp_path / "with", config, messages), "other")
    assert len(bodies(with_frames, DisplayedFrame)) == len(scans)
    output = [
        [entry for entry in logged(session) if OF_THE_DECODER.match(entry[0])]
        for session in (without, with_frames)
    ]
    assert output[0] == output[1]
    assert len(bodies(without, Reconstruction)) > SCANS


def test_every_scan_is_decoded_and_kept_with_what_else_came_from_the_rig(
    session: SessionLayout,
) -> None:
    into = replayed(session, "again")
    assert [body.number for body in bodies(into, Fluorescence)] == list(range(SCANS))
    rig = [entry for entry in logged(session) if entry[0].startswith("bridge/")]
    assert [entry for entry in logged(into) if entry[0].startswith("bridge/")] == rig
    assert LogReader(into.log).summary().complete
    assert bodies(into, Health)[0].counters == {"scans": 3.0}


def test_recorded_decoder_output_is_not_copied(session: SessionLayout) -> None:
    into = replayed(session, "again")
    assert "of that day" not in {body.detail for body in bodies(into, Health)}
    streams = {stream for stream, _ in logged(into) if OF_THE_DECODER.match(stream)}
    assert streams >= {"decoder/responses", "decoder/fluorescence", "emit/reconstruction"}


def test_streams_are_numbered_without_a_hole(session: SessionLayout) -> None:
    into = replayed(session, "again")
    for stream in ("decoder/responses", "emit/reconstruction"):
        entries = LogReader(into.log).logged(lambda name, of=stream: name == of)
        seqs = [entry.seq for entry in entries]
        assert seqs == list(range(len(seqs)))


def test_it_is_a_session_of_its_own_with_the_same_config(session: SessionLayout) -> None:
    into = replayed(session, "again")
    assert read_config(into.config) == read_config(session.config)
    assert into.environment.is_file()
    assert logged(replayed(into, "of-the-replay")) == logged(into)


def test_a_replay_without_a_twin_ends_at_the_responses(
    tmp_path: Path, rig: Any, small_run: MakeRun
) -> None:
    session = recorded(tmp_path / "recorded", small_run(None), rig.stream(12))
    into = replayed(session, "again")
    assert bodies(into, Fluorescence)
    assert not bodies(into, Reconstruction)


def test_a_recording_is_never_overwritten(session: SessionLayout) -> None:
    before = session.log.read_bytes()
    with pytest.raises(SessionExistsError):
        replay_session(session, session, speed=None)
    assert session.log.read_bytes() == before


def test_a_session_without_its_config_is_named(session: SessionLayout) -> None:
    session.config.unlink()
    with pytest.raises(MissingFileError, match=r"config .*config\.yaml does not exist"):
        replayed(session, "again")


def live(tmp_path: Path, session: SessionLayout, change: Callable[[Body], Body]) -> SessionLayout:
    """The replay of `session` as if it were the live run, with its messages changed."""
    done, made = replayed(session, "done"), named_session(tmp_path / "live")
    write_config(read_config(done.config), made.config)
    recorder = Recorder(made.folder, flush_s=1.0, clock=HostClock())
    for item in LogReader(done.log).messages():
        message = replace(item.message, body=change(item.message.body))
        recorder.write(pack(message), message, item.t_received_ns)
    recorder.close()
    return made


def test_frames_with_fewer_steps_live_are_stated(tmp_path: Path, session: SessionLayout) -> None:
    def cut(body: Body) -> Body:
        if isinstance(body, Reconstruction) and body.frame % 5 == 0:
            return replace(body, steps=body.steps - 1)
        return body

    before = live(tmp_path, session, cut)
    frames = {body.frame for body in bodies(before, Reconstruction)}
    found = replay_session(before, named_session(tmp_path / "again"), speed=None)
    fewer = sum(frame % 5 == 0 for frame in frames)
    assert (found.frames, found.fewer_live) == (len(frames), fewer)
    assert found.sentences()[0].startswith(f"{fewer} of {len(frames)} frames had fewer solver")


def test_frames_that_were_shed_live_are_stated(tmp_path: Path, session: SessionLayout) -> None:
    def shed(body: Body) -> Body:
        if isinstance(body, Reconstruction) and body.frame % 5 == 0:
            return replace(body, frames_shed=2)
        return body

    before = live(tmp_path, session, shed)
    shed_frames = sum(body.frames_shed for body in bodies(before, Reconstruction))
    found = replay_session(before, named_session(tmp_path / "again"), speed=None)
    assert found.shed_live == shed_frames > 0
    assert found.sentences() == [
        f"{shed_frames} frames were left out live, as the decoder was overloaded: the replay has "
        "them."
    ]


def test_other_rois_live_are_stated_and_the_same_are_not(
    tmp_path: Path, session: SessionLayout
) -> None:
    def renamed(body: Body) -> Body:
        return replace(body, rois_hash="0123456789abcdef") if isinstance(body, Responses) else body

    before = live(tmp_path, session, renamed)
    (told,) = replay_session(before, named_session(tmp_path / "a"), speed=None).sentences()
    assert "are not those of the live decoder (0123456789abcdef)" in told
    again = replay_session(replayed(session, "b"), named_session(tmp_path / "c"), speed=None)
    assert again.sentences() == []
