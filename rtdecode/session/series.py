"""Values of one quantity over the time of a session: the array that a stream of a log becomes.

Duties: keep values, times, unit and names of the axes together, cut them by time, and give them as
a labelled array of xarray. It must not read a log; `rtdecode.session.recorded` makes it.

>>> running = Series(
...     name="running", values=np.array([0.0, 2.0, 4.0]), t_ns=np.array([0, 10**9, 2 * 10**9]),
...     zero_ns=0, unit="cm/s", dims=("time",), coords={},
... )
>>> running.between(0.5, 3).values.tolist(), running.rate_hz
([2.0, 4.0], 1.0)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rtdecode.runtime.extras import NOTEBOOK, missing_extra_named
from rtdecode.schema.errors import ShapeError

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Coords = Mapping[str, tuple[str, NDArray[Any]]]
"""By name: the axis that an array describes, and the array, as xarray takes them."""
TIME = "time"
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Series:
    """Values of one quantity, and the time of each.

    Raises
    ------
    ShapeError
        If the names of the axes, the times or a coordinate do not fit the values.
    """

    name: str
    """Name of the quantity, for example `displayed`."""
    values: NDArray[Any]
    """(time, ...) the values; NaN where nothing was measured."""
    t_ns: I64
    """(time,) times in ns of CLOCK_MONOTONIC on the decoder's host."""
    zero_ns: int
    """Time of the first message of the session, from which `t_s` counts."""
    unit: str
    """Unit of the values."""
    dims: tuple[str, ...]
    """Names of the axes of `values`, the time first."""
    coords: Coords
    """What is known of each item of an axis: clip, number of the frame, name of the channel."""
    t_means: str = "time of the sample"
    """What the times are the times of."""
    session: Path | None = None
    """Folder of the session that it was read from."""

    def __post_init__(self) -> None:
        if self.values.ndim != len(self.dims):
            raise ShapeError(self.name, expected=f"the axes {self.dims}", got=self.values)
        lengths = dict(zip(self.dims, self.values.shape, strict=True))
        along = {"t_ns": (TIME, self.t_ns), **self.coords}
        for name, (dim, array) in along.items():
            if array.shape != (lengths[dim],):
                raise ShapeError(name, expected=f"{lengths[dim]} items, as axis {dim}", got=array)

    @property
    def t_s(self) -> F64:
        """(time,) times in s since the first message of the session."""
        return seconds_since(self.t_ns, self.zero_ns)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.values.shape

    @property
    def rate_hz(self) -> float:
        """Values a second, from the median of the intervals; NaN with fewer than two."""
        return rate_hz(self.t_ns)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, chosen: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, chosen: slice | NDArray[Any]) -> "Series": ...

    def __getitem__(self, chosen: int | slice | NDArray[Any]) -> "Series | NDArray[Any]":
        """The chosen times: a slice, or an array of numbers or of bools; the values of one."""
        if isinstance(chosen, int | np.integer):
            return np.asarray(self.values[chosen])
        return self._part(chosen)

    def _part(self, chosen: slice | NDArray[Any]) -> "Series":
        return Series(
            name=self.name,
            values=self.values[chosen],
            t_ns=self.t_ns[chosen],
            zero_ns=self.zero_ns,
            unit=self.unit,
            dims=self.dims,
            coords={
                name: (dim, array[chosen] if dim == TIME else array)
                for name, (dim, array) in self.coords.items()
            },
            t_means=self.t_means,
            session=self.session,
        )

    def between(self, t0_s: float, t1_s: float) -> "Series":
        """The values from `t0_s` up to, and without, `t1_s`; in s since the first message."""
        return self._part((self.t_s >= t0_s) & (self.t_s < t1_s))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return described(self.name, self.shape, self.dims, unit=self.unit, t_ns=self.t_ns)

    def to_xarray(self) -> Any:
        """The values as `xarray.DataArray`, with axes, coordinates and unit.

        Raises
        ------
        ExtraMissingError
            If xarray is not installed (extra `notebook`).
        """
        with missing_extra_named(NOTEBOOK):
            from xarray import DataArray
        return DataArray(
            self.values,
            dims=self.dims,
            name=self.name,
            coords={TIME: (TIME, self.t_s, {"units": "s", "long_name": self.t_means})}
            | {"t_ns": (TIME, self.t_ns, {"units": "ns"})}
            | dict(self.coords),
            attrs={"units": self.unit, "zero_ns": self.zero_ns},
        )


def seconds_since(t_ns: I64, zero_ns: int) -> F64:
    """Seconds from `zero_ns` to each of `t_ns`."""
    # the difference first: float64 cannot hold nanoseconds since boot exactly
    return (t_ns - zero_ns) / _NS_PER_S


def rate_hz(t_ns: I64) -> float:
    """Times a second, from the median of the intervals; NaN where there is none."""
    steps = np.diff(t_ns)
    steps = steps[steps > 0]
    return float(_NS_PER_S / np.median(steps)) if steps.size else float("nan")


def described(
    name: str, shape: tuple[int, ...], dims: tuple[str, ...], *, unit: str, t_ns: I64
) -> str:
    """One line: shape with the names of the axes, mean rate, duration and unit."""
    sides = ", ".join(f"{dim} {n}" for dim, n in zip(dims, shape, strict=True))
    known = [unit] if unit else []
    lasts_s = (int(t_ns.max()) - int(t_ns.min())) / _NS_PER_S if t_ns.size else 0.0
    if lasts_s:
        known += [f"{(t_ns.size - 1) / lasts_s:.1f} Hz", f"{lasts_s:.1f} s"]
    return f"<{name} ({sides}){''.join(f', {one}' for one in known)}>"
