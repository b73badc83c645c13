"""Activity and times of NWB files, as pynwb writes them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.datasets.nwb_series import Samples, ends_of, read_nwb
from rtdecode.schema.errors import ExtraMissingError, MissingFileError, UnreadableFileError

SECONDS = np.arange(200) / 10
"""Time of each sample, which is also what it tells."""


@given(
    steps_s=st.lists(st.floats(0.01, 2), min_size=1, max_size=12),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_values_between_samples_are_numpys(steps_s: list[float], cut: tuple[float, float]) -> None:
    """Of any segment, though only the samples around it are read."""
    t_s = np.cumsum([0.5, *steps_s])
    values = np.sin(3 * t_s)[:, None] + np.arange(4)
    first, last = (t_s[-1] * part for part in sorted(cut))
    at_s = np.linspace(first, last + 0.1, 7)
    told = Samples(t_s, values.__getitem__).between(at_s)
    expected = np.stack([np.interp(at_s, t_s, column) for column in values.T], axis=1)
    np.testing.assert_allclose(told, expected)


@given(times_s=st.lists(st.floats(0, 12), max_size=8))
def test_a_pause_and_what_lies_outside_are_not_covered(times_s: list[float]) -> None:
    at_s = np.array(sorted(times_s))
    samples = Samples(np.array([1.0, 2, 3, 4, 10, 11]), np.zeros(6).__getitem__)
    expected = (at_s >= 1) & (at_s < 11) & ~((at_s >= 5) & (at_s < 10))
    np.testing.assert_array_equal(samples.covers(at_s), expected)
    assert samples.between(at_s).shape == at_s.shape


def test_a_sample_holds_to_the_next_or_for_the_usual_step() -> None:
    assert ends_of(np.array([0.0, 1, 2, 4, 20, 21])).tolist() == [1, 2, 4, 5, 21, 22]


def test_planes_follow_each_other_by_name_and_only_with_accepted_neurons(recording: Any) -> None:
    accepted = [True, False, False, True, True]
    recording.screen(recording.dark())
    recording.activity(recording.ramp() + 100, name="Deconvolved2", accepted=accepted)
    recording.activity(-recording.ramp(2), name="Deconvolved1")
    recording.activity(recording.ramp() * np.nan, name="Fluorescence")
    first, second = read_nwb(recording.written()).activity
    assert (first.read(slice(0, 3)) == np.zeros((3, 2))).all()  # activity is never below 0
    np.testing.assert_allclose(second.read(slice(0, 1)), [[100, 130, 140]])


@pytest.mark.parametrize("column", ["accepted", "iscell", "IsCell"])
def test_accepted_neurons_are_marked_as_in_files_of_rois(recording: Any, column: str) -> None:
    """suite2p writes a flag and a probability in the column iscell."""
    marks = np.array([[1, 0.9], [0, 0.2], [0, 0.1], [1, 0.8], [1, 0.7]])
    recording.screen(recording.dark())
    recording.activity(recording.ramp() + 100, accepted=marks, column=column)
    (only,) = read_nwb(recording.written()).activity
    np.testing.assert_allclose(only.read(slice(0, 1)), [[100, 130, 140]])


def test_the_same_neurons_are_not_taken_twice(recording: Any) -> None:
    recording.screen(recording.dark())
    recording.activity(recording.ramp() + 7, name="Events")
    recording.activity(recording.ramp(), name="Deconvolved")
    (only,) = read_nwb(recording.written()).activity
    assert only.read(slice(0, 1))[0, 0] == 0


def column(values: np.ndarray) -> np.ndarray:
    return values[:, 0]


def three(values: np.ndarray) -> np.ndarray:
    return values[:, :3]


def rewritten(recording: Any, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A file whose activity is not as its neurons tell, which pynwb itself would not write."""
    path: Path = recording.written()
    with h5py.File(path, "a") as file:
        series = file["processing/ophys/Deconvolved"]
        values, told = series["data"][:], dict(series["data"].attrs)
        del series["data"]
        series["data"] = change(values)
        series["data"].attrs.update(told)
    return path


def test_a_single_neuron_may_lack_its_axis(recording: Any) -> None:
    recording.screen(recording.dark())
    recording.activity(recording.ramp(1))
    (plane,) = read_nwb(rewritten(recording, column)).activity
    assert plane.read(slice(3, 5)).tolist() == [[0.3], [0.4]]


def test_columns_that_are_no_neurons_are_refused(recording: Any) -> None:
    recording.screen(recording.dark())
    recording.activity(recording.ramp())
    with pytest.raises(UnreadableFileError, match="got 3 columns for 5 neurons"):
        read_nwb(rewritten(recording, three))


def test_fewer_times_than_samples_are_refused(recording: Any) -> None:
    recording.screen(recording.dark())
    recording.activity(recording.ramp(), timestamps=SECONDS)
    path = recording.written()
    with h5py.File(path, "a") as file:
        series = file["processing/ophys/Deconvolved"]
        told = dict(series["timestamps"].attrs)
        del series["timestamps"]
        series["timestamps"] = SECONDS[:150]
        series["timestamps"].attrs.update(told)
    with pytest.raises(
        UnreadableFileError, match="value in 'Deconvolved', got 150 timestamps, 200 values"
    ):
        read_nwb(path)


def test_no_accepted_neuron_is_refused(recording: Any) -> None:
    recording.screen(recording.dark())
    recording.activity(recording.ramp(), accepted=[False] * 5)
    with pytest.raises(UnreadableFileError, match="accepted neuron in 'Deconvolved', got none"):
        read_nwb(recording.written())


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
    with pytest.raises(
        UnreadableFileError, match=r"rising timestamps in 'Deconvolved'.*at sample 70"
    ):
        read_nwb(recording.written())


@pytest.mark.parametrize("text", [b"", b"not an HDF5 file"])
def test_what_is_no_nwb_file_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "mouse.nwb").write_bytes(text)
    with pytest.raises(UnreadableFileError, match=r"mouse\.nwb.*a complete file in the NWB format"):
        read_nwb(tmp_path / "mouse.nwb")


def test_half_a_file_is_refused(recording: Any) -> None:
    recording.activity(recording.ramp())
    path = recording.written()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableFileError, match="a complete file in the NWB format"):
        read_nwb(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
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
