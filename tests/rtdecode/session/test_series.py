"""A series keeps values, times, unit and axes together, also as an array of xarray."""

import sys

import numpy as np
import pytest

from rtdecode.schema.errors import ExtraMissingError, ShapeError
from rtdecode.session.series import Series, rate_hz

DAY_NS = 86_400 * 10**9


def ramp(**others: object) -> Series:
    parts = {
        "name": "activity",
        "values": np.arange(12, dtype=np.float32).reshape(4, 3),
        "t_ns": DAY_NS + np.arange(4) * 50_000_001,
        "zero_ns": DAY_NS,
        "unit": "twin unit",
        "dims": ("time", "neuron"),
        "coords": {"frame": ("time", np.arange(4)), "plane": ("neuron", np.array([0, 0, 1]))},
    }
    return Series(**parts | others)


def test_times_count_from_the_zero_without_rounding() -> None:
    assert ramp().t_s.tolist() == [0, 0.050000001, 0.100000002, 0.150000003]
    assert ramp().rate_hz == pytest.approx(20, rel=1e-6)
    assert np.isnan(rate_hz(np.array([5])))


def test_a_part_keeps_what_belongs_to_it() -> None:
    part = ramp().between(0.04, 0.11)
    assert part.values.tolist() == [[3, 4, 5], [6, 7, 8]]
    assert part.coords["frame"][1].tolist() == [1, 2]
    assert part.coords["plane"][1].tolist() == [0, 0, 1]
    assert len(part) == 2
    assert np.asarray(part).sum() == 33
    assert repr(part) == "<activity (time 2, neuron 3), twin unit, 20.0 Hz, 0.1 s>"


def test_xarray_has_axes_coordinates_and_unit() -> None:
    array = ramp().to_xarray()
    assert array.dims == ("time", "neuron")
    assert array.attrs["units"] == "twin unit"
    assert array.time.attrs["units"] == "s"
    assert array.sel(time=slice(0.04, 0.11)).sum() == 33
    assert array.frame.values.tolist() == [0, 1, 2, 3]


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="axes"):
        ramp(dims=("time",))
    with pytest.raises(ShapeError, match="4 items, as axis time"):
        ramp(t_ns=np.arange(3))
    with pytest.raises(ShapeError, match="frame"):
        ramp(coords={"frame": ("time", np.arange(3))})


def test_without_xarray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ExtraMissingError, match=r'pip install "rtdecode\[notebook\]"'):
        ramp().to_xarray()
