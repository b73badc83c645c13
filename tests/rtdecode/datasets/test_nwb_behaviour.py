"""Running and pupil of NWB files, as pynwb writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import TimeSeries
from pynwb.behavior import EyeTracking, PupilTracking, SpatialSeries
from pynwb.image import ImageSeries

from rtdecode.datasets.nwb_behaviour import Behaviour, behaviour_of
from rtdecode.datasets.nwb_series import read_nwb

AT = {"rate": 10.0, "starting_time": 0.0}
SECONDS = np.arange(200) / 10
"""Time of each sample, which is also what it tells."""
ASKED_S = np.array([3.0, 7.0])


def series(name: str, told: np.ndarray, unit: str = "px", **more: float) -> TimeSeries:
    return TimeSeries(name=name, data=told, unit=unit, **AT, **more)


def place(name: str, told: np.ndarray) -> SpatialSeries:
    return SpatialSeries(name=name, data=told, reference_frame="camera", **AT)


def behaviour(recording: Any, *told: Any) -> Behaviour:
    recording.activity(recording.ramp())
    recording.screen(recording.dark()[:30])
    if told:
        recording.behave(*told)
    path: Path = recording.written()
    return behaviour_of(read_nwb(path).others, path)


@pytest.mark.parametrize(
    ("unit", "conversion", "cm_s"),
    [
        ("m/s", 1.0, 100.0),
        ("meters per second", 1.0, 100.0),
        ("m/s", 0.01, 1.0),
        ("cm/s", 1.0, 1.0),
        ("centimeters/second", 1.0, 1.0),
        ("mm/s", 1.0, 0.1),
        ("a.u.", 1.0, 1.0),
    ],
)
def test_running_is_in_cm_a_second(
    recording: Any, unit: str, conversion: float, cm_s: float
) -> None:
    speed = series("running_speed", SECONDS, unit, conversion=conversion)
    told = behaviour(recording, speed).at(ASKED_S)
    np.testing.assert_allclose(told, np.outer(cm_s * ASKED_S, [1, 0, 0, 0]), rtol=1e-6)


def test_an_offset_belongs_to_the_value(recording: Any) -> None:
    told = behaviour(recording, series("running", SECONDS, "cm/s", offset=10.0)).at(ASKED_S)
    np.testing.assert_allclose(told[:, 0], ASKED_S + 10)


def test_a_speed_is_taken_before_the_angle_of_a_wheel_and_never_an_eye_s(recording: Any) -> None:
    others = series("running_angle", -SECONDS, "rad"), series("eye_speed", -SECONDS, "deg/s")
    told = behaviour(recording, *others, series("wheel_speed", SECONDS, "cm/s")).at(ASKED_S)
    np.testing.assert_allclose(told[:, 0], ASKED_S)


@pytest.mark.parametrize(
    ("name", "told"),
    [("pupil_diameter", 2 * SECONDS), ("radius", SECONDS), ("pupil_area", np.pi * SECONDS**2)],
)
def test_the_pupil_s_diameter_follows_from_what_was_measured(
    recording: Any, name: str, told: np.ndarray
) -> None:
    found = behaviour(recording, PupilTracking(name="pupil", time_series=series(name, told)))
    np.testing.assert_allclose(found.at(ASKED_S), np.outer(2 * ASKED_S, [0, 1, 0, 0]), rtol=1e-6)


def test_the_pupil_is_taken_before_the_reflection_of_a_lamp(recording: Any) -> None:
    pupil = np.column_stack([SECONDS + 1, SECONDS + 2])
    both = [place("corneal_reflection", -pupil), place("pupil_centre", pupil)]
    told = behaviour(recording, EyeTracking(spatial_series=both)).at(ASKED_S)
    np.testing.assert_allclose(told, [[0, 0, 4, 5], [0, 0, 8, 9]])


def test_a_blink_is_interpolated(recording: Any) -> None:
    pupil = np.column_stack([SECONDS + 1, SECONDS + 2])
    pupil[50:90] = np.nan
    told = behaviour(recording, EyeTracking(spatial_series=place("pupil", pupil))).at(ASKED_S)
    np.testing.assert_allclose(told[:, 2:], [[4, 5], [8, 9]])


def test_what_is_known_at_no_time_and_what_is_not_there_is_0(recording: Any) -> None:
    never = PupilTracking(time_series=series("pupil_diameter", SECONDS * np.nan))
    assert not behaviour(recording, never).at(ASKED_S).any()


def test_images_of_the_eye_are_not_a_pupil_series(recording: Any) -> None:
    film = ImageSeries(name="eye", data=np.ones((200, 4, 6), np.uint8), unit="n.a.", **AT)
    recording.file.add_acquisition(film)
    assert behaviour(recording).pupil_center is None
