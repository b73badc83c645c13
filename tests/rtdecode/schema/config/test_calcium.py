"""Settings of the calcium chain: lag, planes, files of several planes."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rtdecode.schema.config.calcium import Activity, CalciumConfig


def test_only_oasis_waits_for_later_scans() -> None:
    lags = {
        kind: CalciumConfig(activity=kind, deconvolution_lag_scans=3).lag_scans for kind in Activity
    }
    assert lags == {Activity.OASIS: 3, Activity.EVENTS: 0, Activity.DFF: 0}


def test_planes_that_the_microscope_does_not_have_are_refused() -> None:
    assert CalciumConfig(decoded_planes=(2, 0), planes=3).decoded_planes == (2, 0)
    for planes, why in (
        ((0, 3), r"\[0, 3\] count from 0 and must be below planes=3"),
        ((1, 1), r"\[1, 1\] names a plane twice"),
        ((), "at least 1 item"),
    ):
        with pytest.raises(ValidationError, match=why):
            CalciumConfig(decoded_planes=planes, planes=3)


def test_each_of_several_planes_has_its_files_in_a_folder() -> None:
    both = CalciumConfig(
        planes=2, decoded_planes=(0, 1), rois=Path("suite2p"), calibration=Path("earlier")
    )
    one = both.of_plane(1)
    assert one.decoded_planes == (1,)
    assert one.rois == Path("suite2p/plane1")
    assert one.calibration == Path("earlier/plane1/calibration.npz")
    assert one.rescale_to is None
