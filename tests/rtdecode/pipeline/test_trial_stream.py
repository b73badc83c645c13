"""The messages of replayed trials: their order, their times, and their content."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.pipeline.recorded_activity_stage import RecordedActivityStage
from rtdecode.pipeline.trial_stream import Due, TrialStream, as_grey_levels
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, Body, DisplayedFrame, Received, Responses, Stamped
from rtdecode.schema.recorded_activity import RecordedActivity
from rtdecode.session.replay import RecordedClock

GRID, FIRST = FrameGrid(30.0), 11


@pytest.fixture(scope="module")
def due(blob_session: SensoriumFolder) -> list[Due]:
    source = RecordedTrialsSource(path=blob_session.folder, trials=(18, 0))
    return list(TrialStream(source).messages(GRID, first_frame=FIRST))


def bodies(due: list[Due], kind: type[Body]) -> list[Body]:
    return [body for one in due for _, body in one.messages if isinstance(body, kind)]


def test_frames_follow_each_other_on_the_grid_trial_after_trial(due: list[Due]) -> None:
    assert [one.t_ns for one in due] == [GRID.start_ns(FIRST + k) for k in range(181)]
    shown = bodies(due, DisplayedFrame)
    assert [(body.clip, body.index) for body in shown] == [
        *(("trial 18", k) for k in range(90)),
        *(("trial 0", k) for k in range(90)),
        ("grey", 0),
    ]
    assert [body.trial for body in bodies(due, RecordedActivity)] == [18] * 90 + [0] * 90


def test_activity_is_sent_at_the_end_of_its_frame_and_behaviour_at_the_start(
    due: list[Due],
) -> None:
    for one in due:
        for source, body in one.messages:
            at_ns = {
                RecordedActivity: lambda body: body.t_frame_end_ns,
                Behaviour: lambda body: body.t_sample_ns,
                DisplayedFrame: lambda body: body.t_flip_ns,
            }[type(body)](body)
            assert at_ns == one.t_ns
            assert source == ("stimulus" if isinstance(body, DisplayedFrame) else "bridge")


def test_values_are_those_of_the_data(due: list[Due], blob_session: SensoriumFolder) -> None:
    trial = blob_session.segment(18)
    activity = np.stack([body.activity for body in bodies(due, RecordedActivity)[:90]])
    np.testing.assert_array_equal(activity, trial.responses)
    video = np.stack([body.luminance for body in bodies(due, DisplayedFrame)[:90]])
    np.testing.assert_array_equal(video, trial.video)
    running = [body.running_cm_s for body in bodies(due, Behaviour)[:90]]
    np.testing.assert_array_equal(running, trial.behaviour[:, 0])
    assert bodies(due, RecordedActivity)[0].causality == "as published"


def test_the_decoder_passes_recorded_activity_on_unchanged(due: list[Due]) -> None:
    body, clock = bodies(due, RecordedActivity)[5], RecordedClock()
    stage = RecordedActivityStage(clock=clock)
    item = Received(Stamped("bridge", 5, body.t_frame_end_ns, "host", body), body.t_frame_end_ns)
    clock.follow([item])
    (made,) = stage.step([item])
    assert isinstance(made, Responses)
    assert (made.frame, made.trial, made.causality) == (FIRST + 5, 18, "as published")
    np.testing.assert_array_equal(made.activity, body.activity)
    assert made.t_scan_end_ns == made.t_received_ns == made.t_ready_ns == GRID.start_ns(FIRST + 6)
    assert stage.neurons == len(body.activity)


def test_fractions_of_grey_levels_are_rounded() -> None:
    assert as_grey_levels(np.array([[0.4, 254.6]], np.float32)).tolist() == [[0, 255]]


def test_a_data_set_with_still_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    np.save(tmp_path / "data" / "images" / "0.npy", np.zeros((1, 4, 4)))
    with pytest.raises(UnreadableFileError, match="got still images"):
        TrialStream(RecordedTrialsSource(path=tmp_path))
