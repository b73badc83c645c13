"""What the calcium chain can be asked for."""

import pytest
from pydantic import ValidationError

from rtdecode.schema.config.calcium import Activity, CalciumConfig


def test_only_oasis_waits_for_later_scans() -> None:
    lags = {
        kind: CalciumConfig(activity=kind, deconvolution_lag_scans=3).lag_scans for kind in Activity
    }
    assert lags == {Activity.OASIS: 3, Activity.EVENTS: 0, Activity.DFF: 0}


def test_a_plane_that_the_microscope_does_not_have_is_refused() -> None:
    assert CalciumConfig(plane=2, planes=3).plane == 2
    with pytest.raises(ValidationError, match="plane=3 counts from 0 and must be below planes=3"):
        CalciumConfig(plane=3, planes=3)
