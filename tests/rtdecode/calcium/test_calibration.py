"""A calibration is saved and loaded unchanged, and is checked against its ROIs."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.schema.errors import CalibrationError, MissingFileError, UnreadableFileError

PLAIN = np.arange(1, 4, dtype=np.float32)
GIVEN = Calibration(
    reference_counts=np.arange(20, dtype=np.float32).reshape(4, 5),
    scan_rate_hz=15.0,
    baseline_counts=PLAIN,
    neuropil_counts=PLAIN,
    noise=PLAIN,
    decay_tau_s=PLAIN,
    activity_quantiles=np.ones((3, 5), np.float32),
    activity_mean=PLAIN,
    activity_sd=PLAIN,
    rise_tau_s=PLAIN / 100,
)


def test_a_saved_calibration_is_loaded_unchanged(tmp_path: Path) -> None:
    GIVEN.save(tmp_path / "calibration.npz")
    again = Calibration.load(tmp_path / "calibration.npz")
    for field in fields(Calibration):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(GIVEN, field.name))


@pytest.mark.parametrize(
    ("shape", "count", "message"), [((4, 5), 2, "2 neurons"), ((5, 4), 3, "shape")]
)
def test_other_rois_are_refused(shape: tuple[int, int], count: int, message: str) -> None:
    rois = rois_from_lists(shape, [(np.array([n]), np.ones(1)) for n in range(count)])
    with pytest.raises(CalibrationError, match=message):
        GIVEN.check(rois)


def test_as_many_other_rois_of_the_same_field_are_refused(tmp_path: Path) -> None:
    mine, other = (
        rois_from_lists((4, 5), [(np.array([n]), np.ones(1)) for n in order])
        for order in ((0, 1, 2), (1, 0, 2))
    )
    replace(GIVEN, rois_hash=mine.hash).save(tmp_path / "calibration.npz")
    made = Calibration.load(tmp_path / "calibration.npz")
    made.check(mine)
    with pytest.raises(CalibrationError, match=mine.hash):
        made.check(other)


def test_a_calibration_of_an_earlier_version_has_unknown_rois(tmp_path: Path) -> None:
    GIVEN.save(tmp_path / "calibration.npz")
    with np.load(tmp_path / "calibration.npz") as found:
        old = {name: found[name] for name in found.files if name != "rois_hash"}
    np.savez(tmp_path / "old.npz", **old)
    made = Calibration.load(tmp_path / "old.npz")
    assert made.rois_hash == ""
    made.check(rois_from_lists((4, 5), [(np.array([n]), np.ones(1)) for n in range(3)]))


def test_a_calibration_of_an_earlier_version_has_no_rise(tmp_path: Path) -> None:
    replace(GIVEN, rise_tau_s=None).save(tmp_path / "old.npz")
    with np.load(tmp_path / "old.npz") as found:
        assert "rise_tau_s" not in found.files
    made = Calibration.load(tmp_path / "old.npz")
    assert made.rise_tau_s is None
    assert made.hash != GIVEN.hash


def test_files_without_a_calibration_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        Calibration.load(tmp_path / "absent.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    with pytest.raises(UnreadableFileError, match=r"broken\.npz"):
        Calibration.load(tmp_path / "broken.npz")
    replace(GIVEN, noise=PLAIN * np.nan).save(tmp_path / "nan.npz")
    with pytest.raises(UnreadableFileError, match="NaN"):
        Calibration.load(tmp_path / "nan.npz")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reference_counts": PLAIN}, "reference_counts of shape"),
        ({"noise": np.float32(1)}, "noise of shape"),
        ({"noise": np.ones(4, np.float32)}, r"arrays of \[3, 4\] neurons"),
        ({"scan_rate_hz": 0.0}, "scan rate of 0"),
        ({"scan_rate_hz": np.inf}, "infinity in scan_rate_hz"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    replace(GIVEN, **change).save(tmp_path / "calibration.npz")
    with pytest.raises(UnreadableFileError, match=told):
        Calibration.load(tmp_path / "calibration.npz")
