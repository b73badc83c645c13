"""Subjects of the studies: recorded trials, thinned scans, and sessions of the demo mouse."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.bench.demo_subject import trials_of_session
from rtdecode.bench.loop_pass import Batch
from rtdecode.bench.subject import ThinnedSession, recorded_subject
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Traces
from rtdecode.demo.simulated_session import SimulatedSession
from rtdecode.schema.errors import LeakedClipError, MissingOptionError
from rtdecode.schema.messages import Responses, WindowFrame


class Traced(SensoriumFolder):
    """A session with raw traces."""

    def traces(self, number: int) -> Traces:
        scans = np.arange(20.0)
        return Traces(np.tile(scans[:, None], (1, 12)).astype(np.float32), scans / 10, scans[:12])


def test_a_recorded_subject_has_the_first_trials_of_its_tier(
    blob_session: SensoriumFolder, blob_twin: Path
) -> None:
    found = recorded_subject(blob_session.folder, [blob_twin], mask=None, tier="oracle", count=1)
    assert [one.number for one in found.trials] == list(blob_session.trials("oracle")[:1])
    assert found.mask.all()
    assert found.variants == []
    assert (found.identity["neurons"], found.identity["device"]) == (12, "CPU")
    other = recorded_subject(blob_session.folder, [blob_twin], mask=None, tier="oracle", count=None)
    assert other.identity["trials"] == 2
    assert other.identity["hash_of_trials"] != found.identity["hash_of_trials"]


def test_a_subject_needs_a_twin_that_has_not_seen_its_clips(
    blob_session: SensoriumFolder, blob_twin: Path
) -> None:
    with pytest.raises(MissingOptionError, match="--twin is needed for --data"):
        recorded_subject(blob_session.folder, [], mask=None, tier="test", count=1)
    with pytest.raises(LeakedClipError):
        recorded_subject(blob_session.folder, [blob_twin], mask=None, tier="train", count=1)


def test_a_slower_microscope_has_every_nth_scan_of_the_same_session(
    blob_session: SensoriumFolder,
) -> None:
    thinned = ThinnedSession(Traced(blob_session.folder), 4)
    traces = thinned.traces(0)
    assert traces.dff[:, 0].tolist() == [0, 4, 8, 12, 16]
    assert np.diff(traces.t_s) == pytest.approx(0.4)
    assert thinned.neurons == blob_session.neurons
    assert thinned.trials("test") == blob_session.trials("test")


def test_each_clip_of_a_session_is_a_trial_with_the_frames_that_were_measured() -> None:
    video = np.arange(8, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    session = SimulatedSession([], video, first=300, clip_frames=4)

    def item(frame: int) -> WindowFrame:
        activity = np.array([frame, 2 * frame], np.float32)
        times = {"t_frame_start_ns": 0, "t_scan_ns": 0, "t_scan_end_ns": 0, "t_received_ns": 0}
        valid = np.array([True, frame != 305])
        return WindowFrame(
            Responses(activity, valid, frame, **times, t_ready_ns=0),
            np.full(4, frame, np.float32),
        )

    batches = [Batch(0, [item(299), item(301)], 0.0), Batch(0, [item(305), item(308)], 0.0)]
    first, second = trials_of_session(session, batches, frame_rate_hz=30.0)
    assert (first.number, second.number) == (0, 1)
    np.testing.assert_array_equal(first.truth, video[:4])
    assert first.valid[:, 0].tolist() == [False, True, False, False]
    assert first.responses[1].tolist() == [301, 602]
    assert second.valid[1].tolist() == [True, False]
    assert second.responses[1].tolist() == [305, 0]
    assert second.behaviour[1].tolist() == [305] * 4
    assert not second.valid[[0, 2, 3]].any()
