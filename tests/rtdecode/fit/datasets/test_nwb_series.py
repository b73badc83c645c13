"""Activity and behaviour of NWB files, as pynwb writes them."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynwb import TimeSeries
from pynwb.behavior import BehavioralTimeSeries, EyeTracking, PupilTracking, SpatialSeries

from rtdecode.fit.datasets.nwb_series import Samples, read_nwb
from rtdecode.schema.errors import ExtraMissingError, MissingFileError, UnreadableFileError

AT = {"rate": 10.0, "starting_time": 0.0}
SECONDS = np.arange(200) / 10
"""Time of each sample, which is also what it tells."""


@given(
    steps_s=st.lists(st.floats(0.01, 2), min_size=1, max_size=12),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_values_between_samples_are_numpys(steps_s: list[float], cut: tuple[float, float]) -> None:
    """Of any stretch, though only the samples around it are read."""
    t_s = np.cumsum([0.5, *steps_s])
    values = np.sin(3 * t_s)[:, None] + np.arange(4)
    first, last = (t_s[-1] * part for part in sorted(cut))
    at_s = np.linspace(first, last + 0.1, 7)
    told = Samples(t_s, values.__getitem__).between(at_s)
    expected = np.stack([np.interp(at_s, t_s, column) for column in values.T], axis=1)
    np.testing.assert_allclose(told, expected)


def test_planes_follow_each_other_by_name_and_only_with_accepted_neurons(recording: Any) -> None:
    accepted = [True, False, False, True, True]
    recording.screen(recording.dark())
    recording.activity(recording.ramp() + 100, name="Deconvolved2", accepted=accepted)
    recording.activity(-recording.ramp(2), name="Deconvolved1")
    recording.activity(recording.ramp() * np.nan, name="Fluorescence")
    first, second = read_nwb(recording.written()).activity
    assert (first.read(slice(0, 3)) == np.zeros((3, 2))).all()  # activity is never below 0
    np.testing.assert_allclose(second.read(slice(0, 1)), [[100, 130, 140]])


def behaviour(recording: Any, *series: Any) -> Any:
    recording.activity(recording.ramp())
    recording.screen(recording.dark())
    recording.behave(*series)
    return read_nwb(recording.written())


@pytest.mark.parametrize(("unit", "a_metre"), [("m/s", 1.0), ("cm/s", 100.0)])
def test_running_is_in_cm_a_second(recording: Any, unit: str, a_metre: float) -> None:
    speed = TimeSeries(name="running_speed", data=a_metre * SECONDS, unit=unit, **AT)
    found = behaviour(recording, BehavioralTimeSeries(time_series=speed))
    np.testing.assert_allclose(found.running_cm_s.between(np.array([3.0, 3.05])), [300, 305])


@pytest.mark.parametrize(
    ("name", "told"),
    [("pupil_diameter", 2 * SECONDS), ("radius", SECONDS), ("pupil_area", np.pi * SECONDS**2)],
)
def test_the_pupil_s_diameter_follows_from_what_was_measured(
    recording: Any, name: str, told: np.ndarray
) -> None:
    series = TimeSeries(name=name, data=told, unit="px", **AT)
    found = behaviour(recording, PupilTracking(name="pupil", time_series=series))
    np.testing.assert_allclose(found.pupil_diameter.between(np.array([3.0, 7.0])), [6, 14])
    assert found.running_cm_s is None
    assert found.pupil_center is None


def test_a_blink_is_bridged(recording: Any) -> None:
    told = np.column_stack([SECONDS + 1, SECONDS + 2])
    told[50:70] = np.nan
    series = SpatialSeries(name="pupil", data=told, reference_frame="camera", **AT)
    found = behaviour(recording, EyeTracking(spatial_series=series))
    at_s = np.array([3.0, 6.0])
    np.testing.assert_allclose(found.pupil_center.between(at_s), [[4, 5], [7, 8]])


def test_fluorescence_alone_is_refused_by_name(recording: Any) -> None:
    recording.activity(recording.ramp(), name="Fluorescence")
    recording.screen(recording.dark())
    with pytest.raises(UnreadableFileError, match=r"deconv, spike or event.*'ophys/Fluorescence'"):
        read_nwb(recording.written())


def test_no_stimulus_is_refused(recording: Any) -> None:
    recording.activity(recording.ramp())
    with pytest.raises(UnreadableFileError, match=r"ImageSeries.*got no stimulus"):
        read_nwb(recording.written())


def test_times_that_go_back_are_refused(recording: Any) -> None:
    times_s = np.where(np.arange(200) == 70, 1.0, SECONDS)
    recording.activity(recording.ramp(), timestamps=times_s)
    recording.screen(recording.dark())
    with pytest.raises(UnreadableFileError, match=r"rising times in 'Deconvolved'.*at sample 70"):
        read_nwb(recording.written())


@pytest.mark.parametrize("text", [b"", b"not an HDF5 file"])
def test_what_is_no_nwb_file_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "mouse.nwb").write_bytes(text)
    with pytest.raises(UnreadableFileError, match=r"mouse\.nwb.*a whole file in the NWB format"):
        read_nwb(tmp_path / "mouse.nwb")


def test_half_a_file_is_refused(recording: Any) -> None:
    recording.activity(recording.ramp())
    path = recording.written()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableFileError, match="a whole file in the NWB format"):
        read_nwb(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.nwb"):
        read_nwb(tmp_path / "gone.nwb")


def test_without_pynwb_the_extra_is_named(recording: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.activity(recording.ramp())
    path = recording.written()
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(ExtraMissingError, match=r"rtdecode\[nwb\]"):
        read_nwb(path)


@pytest.mark.shared
def test_a_file_of_the_community_has_activity_but_no_screen(shared_folder: Path) -> None:
    with pytest.raises(UnreadableFileError, match="got no stimulus"):
        read_nwb(shared_folder / "data/vendor/nwb/nwb_test.nwb")
