"""The streams of a log are read frame by frame as they were recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import own_run
import pytest

from rtdecode.datasets.aligned_streams import read_aligned_streams
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import NeuronsChangedError, StreamMissingError, UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Responses
from rtdecode.session.layout import SessionLayout

Run = Any
"""The growing session of `conftest`."""
FIRST, NEURONS, ROWS, COLS = 4_000_000, 12, 12, 16
Blobs = Callable[..., np.ndarray]
EVERYONE = np.ones(NEURONS, bool)


def test_each_frame_holds_its_displayed_frame_and_responses(run: Run, blobs: Blobs) -> None:
    video = blobs(0, 20)
    run.clip("a", video)
    streams = read_aligned_streams(SessionLayout(run.end()))
    frames = range(FIRST + 3, FIRST + 9)
    assert (streams.screen_px, streams.neurons) == ((ROWS, COLS), NEURONS)
    np.testing.assert_array_equal(streams.video(frames), video[3:9])
    expected = np.arange(3, 9)[:, None] + np.arange(NEURONS) / 16
    np.testing.assert_array_equal(streams.activity(frames), expected.astype(np.float32))
    np.testing.assert_allclose(
        streams.behaviour(frames), np.arange(3, 9)[:, None] + np.arange(4), atol=1e-4
    )


def test_a_neuron_that_was_not_measured_is_missing_not_silent(run: Run, blobs: Blobs) -> None:
    valid = np.ones((20, NEURONS), bool)
    valid[5, 7] = False
    valid[9] = False
    run.clip("a", blobs(0, 20), valid=valid)
    streams = read_aligned_streams(SessionLayout(run.end()))
    activity = streams.activity(range(FIRST, FIRST + 20))
    np.testing.assert_array_equal(np.isfinite(activity), valid)
    assert [k for k in range(20) if not streams.is_measured(FIRST + k)] == [9]


def test_behaviour_is_interpolated_linearly_and_constant_beyond_the_samples(run: Run) -> None:
    for step in (0, 2):
        run.frame = FIRST + step
        run.behave()
    run.frame = FIRST
    run.clip("a", np.zeros((1, ROWS, COLS)))
    run.frame = FIRST + 1
    streams = read_aligned_streams(SessionLayout(run.end()))
    told = streams.behaviour(range(FIRST - 1, FIRST + 5))[:, 0]
    np.testing.assert_allclose(told, [0, 0, 1, 2, 2, 2], atol=1e-6)


def test_a_rig_without_behaviour_gives_zeros(run: Run) -> None:
    run.show("a", 0, np.zeros((ROWS, COLS)))
    run.answer(np.zeros(NEURONS), EVERYONE)
    run.frame += 1
    streams = read_aligned_streams(SessionLayout(run.end()))
    np.testing.assert_array_equal(streams.behaviour(range(FIRST, FIRST + 3)), np.zeros((3, 4)))


def test_a_lost_flip_leaves_its_frames_without_ground_truth(run: Run, blobs: Blobs) -> None:
    video = blobs(0, 20)
    run.clip("a", video[:8])
    run._seq["stimulus/displayed_frame"] += 2
    run.frame += 2
    run.clip("a", video, first=10)
    streams = read_aligned_streams(SessionLayout(run.end()))
    assert sorted(set(range(FIRST, FIRST + 20)) - set(streams.displayed)) == [
        FIRST + 7,
        FIRST + 8,
        FIRST + 9,
    ]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_log_whose_recorder_was_killed_is_read_as_far_as_it_goes(
    run: Run, blobs: Blobs, kept: float
) -> None:
    run.clip("a", blobs(0, 400))
    log = SessionLayout(run.end()).log
    whole = read_aligned_streams(SessionLayout(run.folder))
    log.write_bytes(log.read_bytes()[: int(kept * log.stat().st_size)])
    torn = read_aligned_streams(SessionLayout(run.folder))
    assert 0 < len(torn.displayed) < len(whole.displayed)
    assert set(torn.displayed) == set(range(FIRST, FIRST + len(torn.displayed)))
    frames = range(FIRST, FIRST + len(torn.displayed))
    np.testing.assert_array_equal(torn.activity(frames), whole.activity(frames))


def test_a_session_without_displayed_frames_or_responses_is_refused_with_the_way_out(
    run: Run,
) -> None:
    run.answer(np.zeros(NEURONS), EVERYONE)
    run._recorder.close()
    with pytest.raises(StreamMissingError, match=r"no displayed frames.*with the stimulus process"):
        read_aligned_streams(SessionLayout(run.folder))


def test_a_session_without_responses_is_to_be_replayed(run: Run) -> None:
    run.show("a", 0, np.zeros((ROWS, COLS)))
    run.frame += 1
    run.end()
    with pytest.raises(StreamMissingError, match=r"no responses.*`rtdecode replay .*`"):
        read_aligned_streams(SessionLayout(run.folder))


def test_other_neurons_in_the_middle_are_refused(run: Run, blobs: Blobs) -> None:
    run.clip("a", blobs(0, 9))
    run.answer(np.zeros(5), np.ones(5, bool))
    with pytest.raises(NeuronsChangedError, match=r"12 neurons .*, and 9 frames later of 5"):
        read_aligned_streams(SessionLayout(run.end()))


def test_as_many_neurons_of_other_rois_in_the_middle_are_refused(run: Run, blobs: Blobs) -> None:
    run.rois_hash = "aaaaaaaaaaaaaaaa"
    run.clip("a", blobs(0, 9))
    run.rois_hash = "bbbbbbbbbbbbbbbb"
    run.clip("b", blobs(0, 9))
    with pytest.raises(
        NeuronsChangedError, match=r"\(ROIs a{16}\), and 9 frames .* \(ROIs b{16}\)"
    ):
        read_aligned_streams(SessionLayout(run.end()))


def test_another_grid_and_another_screen_are_refused(run: Run, blobs: Blobs) -> None:
    run.clip("a", blobs(0, 9))
    t_ns = FrameGrid(30.0).start_ns(run.frame) + 5_000
    run.say("decoder", Responses(np.zeros(NEURONS, np.float32), EVERYONE, run.frame, *[t_ns] * 5))
    with pytest.raises(UnreadableFileError, match=r"30 frames a second \(frame_rate_hz"):
        read_aligned_streams(SessionLayout(run.end()))


def test_a_screen_that_changes_its_size_is_refused(run: Run, blobs: Blobs) -> None:
    run.clip("a", blobs(0, 9))
    run.show("b", 0, np.zeros((5, 6)))
    with pytest.raises(UnreadableFileError, match=r"\(12, 16\) pixels.*got \(5, 6\)"):
        read_aligned_streams(SessionLayout(run.end()))


def test_a_session_has_the_frame_rate_of_its_config(tmp_path: Path, blobs: Blobs) -> None:
    run, video = own_run.Run(tmp_path, frame_rate_hz=25.0), blobs(0, 20)
    run.clip("a", video)
    session = SessionLayout(run.end())
    write_config(RunConfig(frame_rate_hz=25.0), session.config)
    streams = read_aligned_streams(session)
    assert streams.grid.rate_hz == 25
    np.testing.assert_array_equal(streams.video(range(FIRST, FIRST + 20)), video)
    write_config(RunConfig(frame_rate_hz=30.0), session.config)
    with pytest.raises(UnreadableFileError, match="responses at 30 frames a second"):
        read_aligned_streams(session)
