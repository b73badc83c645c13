"""One stream of a recorded session, of which only what is asked for is read from the log.

Duties: give times and values of a part of a stream, cut by number, time or clip. It must not know
which streams there are: `rtdecode.session.stream_kinds` states that.

    displayed = RecordedSession(folder).displayed
    displayed.between(10, 12).load().values
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtdecode.schema.errors import (
    ArgumentValueError,
    NoSuchClipError,
    NoSuchStreamError,
    SizeChangedError,
    TimeBeforeStreamError,
)
from rtdecode.schema.messages import Stamped
from rtdecode.session.message_index import Places
from rtdecode.session.recorded_log import Heads, RecordedLog, StreamKind, heads_in
from rtdecode.session.series import (
    F64,
    I64,
    TIME,
    Coords,
    Series,
    described,
    rate_hz,
    seconds_since,
)


class _Values:
    """Values of a stream in one array, filled while its messages are read."""

    def __init__(self, kind: StreamKind, count: int) -> None:
        self._kind, self._count = kind, count
        self._filled = 0
        self.array: NDArray[Any] = np.zeros((0,) * len(kind.dims))

    def passed(self, messages: Iterable[Stamped]) -> Iterator[Stamped]:
        """The same messages, whose values were added."""
        for message in messages:
            self._add(self._kind.values(message.body))
            yield message

    def _add(self, value: NDArray[Any]) -> None:
        if not self._filled:
            self.array = np.empty((self._count, *value.shape), value.dtype)
        if value.shape != self.array.shape[1:]:
            raise SizeChangedError(
                stream=self._kind.name,
                sizes=[self.array.shape[1:], value.shape],
                remedy="take a part, for example by `between`, or a plane by `of_plane`",
            )
        self.array[self._filled] = value
        self._filled += 1


class RecordedStream:
    """A stream of a recorded session, or a part of one; values are read by `load`.

    It is cut by numbers (`stream[10:20]`), by time (`between`, `at`) and by clip (`of_clip`), which
    gives a part of the stream. `numpy.asarray(stream)` reads its values as well.

    Parameters
    ----------
    log
        The log of the session.
    kind
        What the stream is.
    numbers
        Numbers of its messages in the log; None for all.
    """

    def __init__(self, log: RecordedLog, kind: StreamKind, numbers: I64 | None = None) -> None:
        self._log, self._kind = log, kind
        if numbers is None and kind.is_part is not None:
            numbers = np.flatnonzero(log.heads(kind).is_part)
        if numbers is None:
            numbers = np.arange(len(self._places))
        self._numbers: I64 = numbers

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self._kind.name

    @property
    def session(self) -> Path:
        """Folder of the session."""
        return self._log.path.parent

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return self._kind.unit

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes, the time first."""
        return self._kind.dims

    @property
    def t_ns(self) -> I64:
        """(time,) times in ns of CLOCK_MONOTONIC on the decoder's host."""
        return self._heads().t_ns

    @property
    def t_s(self) -> F64:
        """(time,) times in s since the first message of the session."""
        return seconds_since(self.t_ns, self._log.index.first_ns)

    @property
    def t_means(self) -> str:
        """What the times are the times of."""
        return self._kind.t_means

    @property
    def rate_hz(self) -> float:
        """Values a second, from the median of the intervals."""
        return rate_hz(self.t_ns)

    @property
    def coords(self) -> Coords:
        """What is known of each item of an axis, by name: (axis, array)."""
        return self._coords(self._heads())

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values, from the first one."""
        numbers = self._numbers if len(self) else np.arange(len(self._places))
        if not len(numbers):
            return (0,) * len(self.dims)
        (first,) = self._log.messages(self._kind, numbers[:1])
        return (len(self), *self._kind.values(first.body).shape)

    @property
    def values(self) -> NDArray[Any]:
        """(time, ...) the values; read from the log each time."""
        return self.load().values

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, chosen: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, chosen: slice | NDArray[Any]) -> "RecordedStream": ...

    def __getitem__(self, chosen: int | slice | NDArray[Any]) -> "RecordedStream | NDArray[Any]":
        """A part of the stream: a slice, or an array of numbers or of bools.

        With one number it is read: the values of that item, without the axis of time.
        """
        if isinstance(chosen, int | np.integer):
            (message,) = self._log.messages(self._kind, self._numbers[[chosen]])
            return self._kind.values(message.body)
        return self._part(chosen)

    def _part(self, chosen: slice | NDArray[Any]) -> "RecordedStream":
        return RecordedStream(self._log, self._kind, self._numbers[chosen])

    def between(self, t0_s: float, t1_s: float) -> "RecordedStream":
        """The part from `t0_s` up to, and without, `t1_s`; in s since the first message."""
        return self._part((self.t_s >= t0_s) & (self.t_s < t1_s))

    def at(self, t_s: ArrayLike) -> "RecordedStream":
        """The newest item at each time, such as the frame that was on the screen then.

        Across a gap of the stream that is the item before it.

        Parameters
        ----------
        t_s
            (time,) or one time, in s since the first message of the session.

        Returns
        -------
        A part with one item for each time.

        Raises
        ------
        TimeBeforeStreamError
            If a time lies before the first item.
        ArgumentValueError
            If a time is NaN.
        """
        times, own = np.atleast_1d(np.asarray(t_s, np.float64)), self.t_s
        if np.isnan(times).any():
            raise ArgumentValueError(name="t_s", got="NaN", expected="times in s")
        order = np.argsort(own, kind="stable")
        newest = np.searchsorted(own[order], times, side="right") - 1
        if (newest < 0).any():
            first = float(own.min()) if own.size else float("nan")
            raise TimeBeforeStreamError(stream=self.name, t_s=float(times.min()), first_s=first)
        return self._part(order[newest])

    def of_clip(self, name: str, presentation: int | None = None) -> "RecordedStream":
        """The part while clip `name` was displayed: all of its presentations, or one of them.

        Raises
        ------
        NoSuchClipError
            If the clip was not displayed, or less often; it names those that were.
        """
        found = self._log.presentations()
        spans = [one for one in found if one.clip == name and presentation in {None, one.number}]
        if not spans:
            clips = list(dict.fromkeys(one.clip for one in found))
            asked = name if presentation is None else f"{name}' at presentation '{presentation}"
            raise NoSuchClipError(session=self.session, clip=asked, clips=clips)
        t_ns = self.t_ns
        within = [(one.t_start_ns <= t_ns) & (t_ns < one.t_end_ns) for one in spans]
        return self._part(np.any(within, axis=0))

    def of_plane(self, plane: int) -> "RecordedStream":
        """The part of one plane, of streams that state it: `fluorescence`, `neuropil`, `scans`.

        Raises
        ------
        NoSuchStreamError
            If the stream has no such plane.
        """
        planes = self._heads().coords.get("plane", np.zeros(len(self), np.int64))
        if plane not in planes:
            has = [f"plane {one}" for one in np.unique(planes)]
            session, name = self.session, f"{self.name} of plane {plane}"
            raise NoSuchStreamError(session=session, stream=name, has=has)
        return self._part(planes == plane)

    def messages(self) -> Iterator[Stamped]:
        """The messages of the log that the values stand in, in order."""
        return self._log.messages(self._kind, self._numbers)

    def load(self) -> Series:
        """Read the values from the log.

        Raises
        ------
        SizeChangedError
            If values differ in size, as fluorescence of several planes does.
        """
        values = _Values(self._kind, len(self))
        heads = heads_in(self._kind, values.passed(self.messages()))
        return Series(
            name=self.name,
            values=values.array if len(self) else np.empty(self.shape),
            t_ns=heads.t_ns,
            zero_ns=self._log.index.first_ns,
            unit=self.unit,
            dims=self.dims,
            coords=self._coords(heads),
            t_means=self.t_means,
            session=self.session,
        )

    def to_xarray(self) -> Any:
        """The values as `xarray.DataArray`; ExtraMissingError where xarray is not installed."""
        return self.load().to_xarray()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.load().values, dtype=dtype)

    def __repr__(self) -> str:
        # times of recording: those of the stream need a part of each message
        t_ns = self._places.t_logged_ns[self._numbers]
        return described(self.name, self.shape, self.dims, unit=self.unit, t_ns=t_ns)

    @property
    def _places(self) -> Places:
        return self._log.index.places[self._kind.stream]

    def _heads(self) -> Heads:
        return self._log.heads_of(self._kind, self._numbers)

    def _coords(self, heads: Heads) -> Coords:
        along = {name: (TIME, column) for name, column in heads.coords.items()}
        return {**along, **self._kind.fixed}
