"""Responses are paired with displayed frames, frame by frame."""

import numpy as np
import pytest

from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.datasets.video_session import Segment
from rtdecode.demo.recording import Recording
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Behaviour, Scan
from rtdecode.streams.behaviour_join import BehaviourJoin

SIDE, RATE_HZ, TRIAL = 24, 15.0, 10
CALIBRATION_S = 1.0
LEARNING = 2 * (int(CALIBRATION_S * RATE_HZ) + 8)
"""Frames of the grid in which the chain still calibrates."""


def scan(number: int, rng: np.random.Generator) -> Scan:
    pixels = rng.poisson(GROUND).astype(np.uint16)
    start_ns = round(number * 1e9 / RATE_HZ)
    return Scan(pixels, number, 0, start_ns, round((number + 0.9) * 1e9 / RATE_HZ))


def cells() -> list[tuple[np.ndarray, np.ndarray]]:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    at = [np.flatnonzero((rows - 6 - 6 * k) ** 2 + (cols - 12) ** 2 <= 4) for k in range(3)]
    return [(pixels, np.ones(len(pixels))) for pixels in at]


MASKS = rois_from_lists((SIDE, SIDE), cells())
GROUND = 200 + 400 * MASKS.footprint() + np.random.default_rng(9).uniform(0, 300, (SIDE, SIDE))


def a_recording(clock: Clock) -> Recording:
    config = CalciumConfig(
        reference_scans=4, calibration_s=CALIBRATION_S, min_peak_sd=0, neuropil_ring_px=2
    )
    chain = CalciumChain(
        config,
        rois=MASKS,
        grid=FrameGrid(30.0),
        scan_rate_hz=RATE_HZ,
        reference=None,
        calibration=None,
        clock=clock,
    )
    return Recording(chain, BehaviourJoin(np.array([0, 30, 0, 0], np.float32)), frames=TRIAL)


def picture(frame: int) -> np.ndarray:
    """A picture that tells the number of its frame."""
    return np.full((2, 3), frame % 251, np.uint8)


def recorded(recording: Recording, *, shown: range, scans: int = 60) -> list[Segment]:
    rng = np.random.default_rng(0)
    for frame in shown:
        recording.show(frame, picture(frame))
    trials: list[Segment] = []
    for number in range(scans):
        t_ns = round(number * 1e9 / RATE_HZ)
        pupil = np.array([1, 2], np.float32)
        trials += recording.add_measurements(
            [Behaviour(t_ns, float(number), 30.0, pupil), scan(number, rng)]
        )
    return trials


def test_trials_are_consecutive_frames_with_their_displayed_frames(clock: Clock) -> None:
    trials = recorded(a_recording(clock), shown=range(200))
    assert len(trials) >= 5
    frames = np.concatenate([trial.video[:, 0, 0] for trial in trials])
    np.testing.assert_array_equal(np.diff(frames), 1)
    for trial in trials:
        assert trial.video.shape == (TRIAL, 2, 3)
        assert trial.responses.shape == (TRIAL, MASKS.count)
        assert trial.behaviour.shape == (TRIAL, 4)


def test_behaviour_is_that_of_the_frame(clock: Clock) -> None:
    """Running grows by 1 with each scan, and a scan lasts two frames."""
    for trial in recorded(a_recording(clock), shown=range(200)):
        np.testing.assert_allclose(trial.behaviour[:, 0], trial.video[:, 0, 0] / 2, atol=0.01)


def test_frames_without_a_measurement_are_left_out(clock: Clock) -> None:
    first = recorded(a_recording(clock), shown=range(200))[0].video[0, 0, 0]
    assert CALIBRATION_S * 30 <= first <= LEARNING


def test_frames_without_a_displayed_frame_are_left_out(clock: Clock) -> None:
    trials = recorded(a_recording(clock), shown=range(70, 92))
    shown = np.concatenate([trial.video[:, 0, 0] for trial in trials])
    np.testing.assert_array_equal(shown, np.arange(70, 90))


def test_activity_is_finite_and_never_below_zero(clock: Clock) -> None:
    for trial in recorded(a_recording(clock), shown=range(200)):
        assert np.isfinite(trial.responses).all()
        assert trial.responses.min() >= 0


@pytest.mark.parametrize("lost", [35])
def test_a_missing_measurement_holds_the_last_value(clock: Clock, lost: int) -> None:
    """A file has no word for missing: around a lost scan the last activity stands."""
    recording, rng = a_recording(clock), np.random.default_rng(0)
    for frame in range(200):
        recording.show(frame, picture(frame))
    numbers = [number for number in range(60) if number != lost]
    trials = [
        trial for number in numbers for trial in recording.add_measurements([scan(number, rng)])
    ]
    activity = np.concatenate([trial.responses for trial in trials])
    frames = np.concatenate([trial.video[:, 0, 0] for trial in trials])
    np.testing.assert_array_equal(np.diff(frames)[frames[:-1] < 2 * lost - 3], 1)
    assert np.isfinite(activity).all()
