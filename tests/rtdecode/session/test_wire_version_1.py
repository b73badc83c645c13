"""A session recorded in wire version 1 is read, replayed, recovered and scored like one of today.

`tests/golden/write_session_wire1.py` wrote it with the code of that version. Of 145 displayed
frames it lacks number 142 and the last one.
"""

import shutil
from collections import defaultdict
from pathlib import Path
from typing import get_args

import msgpack
import numpy as np
import pytest
from split_log import split_copy

from rtdecode.datasets.own_session import OwnSession
from rtdecode.report.build import report_session
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.hosts import ClockProbe, HostMessage
from rtdecode.schema.messages import (
    BODIES,
    Body,
    DisplayedFrame,
    End,
    Event,
    Fluorescence,
    Gap,
    Loop,
    Reconstruction,
    Recording,
    Responses,
)
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.schema.recorded_activity import RecordedActivity
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover
from rtdecode.session.replay import Replay

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "session_wire1"
GRID = FrameGrid(30.0)


@pytest.fixture
def session(tmp_path: Path) -> SessionLayout:
    """A copy that a test may write into."""
    return SessionLayout(Path(shutil.copytree(GOLDEN, tmp_path / "session")))


def bodies() -> dict[type[Body], list[Body]]:
    found: defaultdict[type[Body], list[Body]] = defaultdict(list)
    for received in LogReader(GOLDEN / "log.mcap").messages():
        found[type(received.message.body)].append(received.message.body)
    return found


def test_the_golden_log_is_of_version_1_and_small() -> None:
    versions = {msgpack.unpackb(one.data)["v"] for one in LogReader(GOLDEN / "log.mcap").logged()}
    assert versions == {1}
    assert sum(file.stat().st_size for file in GOLDEN.iterdir()) < 200_000 + 2_000


def test_every_kind_is_read_under_its_name_of_today() -> None:
    later = {*get_args(Loop), *get_args(HostMessage)} - {ClockProbe}
    of_the_page = {FieldOfView, PlaneNeurons}
    new = {Event, Recording, RecordedActivity, ResponsePrediction}
    added_in_version_2 = new | of_the_page | later
    assert bodies().keys() == set(BODIES) - added_in_version_2
    streams = LogReader(GOLDEN / "log.mcap").summary().counts
    assert streams["stimulus/displayed_frame"] == 143
    assert not any("shown_frame" in stream for stream in streams)


def test_renamed_fields_keep_their_values() -> None:
    found = bodies()
    response, decoded = found[Responses][3], found[Reconstruction][3]
    assert isinstance(response, Responses)
    assert response.t_frame_start_ns == GRID.start_ns(response.frame)
    assert isinstance(decoded, Reconstruction)
    assert decoded.t_frame_mid_ns == GRID.middle_ns(decoded.frame)
    values = found[Fluorescence][2]
    assert isinstance(values, Fluorescence)
    assert (values.f_raw[0], values.f_neuropil[0]) == (52, 26)
    [probe] = found[ClockProbe]
    assert isinstance(probe, ClockProbe)
    times = (probe.t_request_ns, probe.t_request_received_ns)
    assert (*times, probe.t_reply_ns, probe.t_reply_received_ns) == (1, 5, 6, 9)


def test_streams_that_gap_and_end_name_have_their_names_of_today() -> None:
    found = bodies()
    gaps = [gap for gap in found[Gap] if isinstance(gap, Gap)]
    named = {(gap.stream, gap.first_missing, gap.detected_by) for gap in gaps}
    assert ("stimulus/displayed_frame", 142, "recorder") in named
    ends = [end.last_seq for end in found[End] if isinstance(end, End)]
    assert [last["displayed_frame"] for last in ends if "displayed_frame" in last] == [144]


def test_replay_gives_its_rig_messages() -> None:
    replay = Replay(GOLDEN / "log.mcap", grid=FrameGrid(30.0), clock=HostClock(), speed=None)
    taken: list[str] = []
    while not replay.finished:
        taken.extend(received.message.body.kind for received in replay.take(0.0))
    assert (taken.count("displayed_frame"), taken.count("scan")) == (143, 29)


def test_recover_keeps_its_bytes_and_they_are_read_again(session: SessionLayout) -> None:
    whole = [one.data for one in LogReader(session.log).logged()]
    session.log.write_bytes(session.log.read_bytes()[:-20_000])
    counts = recover(session.folder).counts
    kept = [one.data for one in LogReader(session.log).logged()]
    assert kept == whole[: len(kept)]
    assert counts["stimulus/displayed_frame"] > 100
    assert LogReader(session.log).summary().counts == counts


def test_in_parts_it_has_the_same_summary_and_the_same_replay(tmp_path: Path) -> None:
    whole, parts = (shutil.copytree(GOLDEN, tmp_path / one / "s") for one in ("whole", "parts"))
    (parts / "log.mcap").unlink()
    split_copy(GOLDEN / "log.mcap", parts / "log.mcap", parts=5)
    assert len(list(parts.glob("log*.mcap"))) > 4
    assert summarise(SessionLayout(parts)) == summarise(SessionLayout(whole))
    first, second = (
        [one.data for one in LogReader(folder / "log.mcap").logged()] for folder in (whole, parts)
    )
    assert first == second
    first_batches, second_batches = (batches(folder / "log.mcap") for folder in (whole, parts))
    assert first_batches == second_batches
    assert len(first_batches) > 10


def batches(log: Path) -> list[list[tuple[str, int]]]:
    """Stream and number of the messages in each batch of a replay."""
    replay, taken = Replay(log, grid=FrameGrid(30.0), clock=HostClock(), speed=None), []
    while not replay.finished:
        taken.append([(one.message.stream, one.message.seq) for one in replay.take(0.0)])
    return taken


def test_its_report_shows_score_and_losses(session: SessionLayout) -> None:
    session.report.mkdir()
    screen = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
    write_config(RunConfig.model_validate({"stimulus": screen}), session.config)
    summary = summarise(session)
    report_session(session, summary)
    assert (session.report / "index.html").is_file()
    assert summary.video_r is None or summary.frames_scored > 0
    assert summary.lost_by_stream == {"stimulus/displayed_frame": 2}
    assert summary.missed == {"bridge/scan by decoder": 2}


def test_it_can_be_used_as_a_dataset() -> None:
    data = OwnSession(GOLDEN)
    assert (data.neurons, data.rows_px, data.cols_px) == (2, 6, 8)
    first, *_ = data.trials("train")
    segment = data.segment(first)
    assert len(segment.video) >= 90
    assert np.isfinite(segment.responses).all()


def test_a_displayed_frame_of_version_1_has_its_picture() -> None:
    first = bodies()[DisplayedFrame][0]
    assert isinstance(first, DisplayedFrame)
    assert (first.clip, first.index, first.luminance.shape) == ("clip0", 0, (6, 8))
