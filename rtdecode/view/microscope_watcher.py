"""Packets of the Microscope tab for one browser: what is new since its last ones.

The packets are made when the browser can be sent some: a slow one gets the same samples in fewer
packets, and loses only what is older than 20 s. Nothing is made for a browser that does not watch.

    watcher = MicroscopeWatcher(microscope)
    packets = watcher.packets()
"""

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.microscope import FieldOfView
from rtdecode.view.browser_input import BrowserMessage
from rtdecode.view.microscope import MOST_TRACES, Microscope, Recent
from rtdecode.view.microscope_packets import (
    Samples,
    Signal,
    Trace,
    activity_columns_packet,
    field_packet,
    neurons_packet,
    order_packet,
    samples_packet,
    traces_packet,
)


class MicroscopeWatcher:
    """One browser that watches the tab: its chosen traces, and what it has been sent.

    Parameters
    ----------
    chosen
        Neurons of the traces; None for the most variable ones.
    """

    def __init__(self, microscope: Microscope, chosen: list[int] | None = None) -> None:
        self._all = microscope
        self._chosen = chosen
        self._version = -1
        self._frames = self._behaviour = self._shifts = 0
        self._traced: dict[tuple[int, Signal], tuple[Recent, int]] = {}
        self._pictures: dict[int, int] = {}

    def choose(self, neuron: int) -> None:
        """Add a trace; the oldest one beyond eight leaves, and one of no neuron is not added."""
        if neuron >= self._all.activity.values.shape[1]:
            return
        self.leave(neuron)
        self._chosen = [*(self._chosen or []), neuron][-MOST_TRACES:]

    def leave(self, neuron: int) -> None:
        """Remove a trace."""
        self._chosen = [one for one in self._chosen or [] if one != neuron]

    def packets(self) -> list[bytes]:
        """What is new since the last call; all of the last 20 s at the first."""
        found: list[bytes] = []
        restarts = self._version != self._all.version
        if restarts:
            self._version, self._frames = self._all.version, 0
            found += self._neurons()
        found += self._new_pictures()
        found += self._activity(restarts=restarts)
        if (traces := self._traces()) is not None:
            found.append(traces)
        found += self._samples()
        return found

    def _neurons(self) -> list[bytes]:
        neurons = self._all.neurons
        packets = [neurons_packet(neurons[plane]) for plane in sorted(neurons)]
        return [*packets, order_packet(*self._all.order())]

    def _new_pictures(self) -> list[bytes]:
        new = [one for one in self._all.pictures.values() if self._is_new(one)]
        self._pictures |= {one.plane: one.t_scan_ns for one in new}
        return [field_packet(one) for one in new]

    def _is_new(self, picture: FieldOfView) -> bool:
        return self._pictures.get(picture.plane) != picture.t_scan_ns

    def _activity(self, *, restarts: bool) -> list[bytes]:
        kept = self._all.activity
        rows = kept.since(self._frames)
        self._frames = kept.count
        if not rows.size:
            return []
        packet = activity_columns_packet(
            kept.times(rows),
            kept.values[rows],
            rate_hz=self._all.frame_rate_hz,
            largest=self._all.largest,
            restarts=restarts,
        )
        return [packet]

    def _traces(self) -> bytes | None:
        if self._chosen is None:
            self._chosen = self._all.most_variable()
        wanted = [
            (neuron, signal)
            for neuron in self._chosen or []
            for signal in Signal
            if self._stream_of(neuron, signal) is not None
        ]
        changed = wanted != list(self._traced)
        traces = [self._trace(neuron, signal) for neuron, signal in wanted]
        self._traced = {key: self._traced[key] for key in wanted}
        return traces_packet(traces) if changed or any(one.t_s.size for one in traces) else None

    def _stream_of(self, neuron: int, signal: Signal) -> tuple[Recent, int, int] | None:
        """Stream of a trace, its plane, and its column; None where there is none."""
        if signal is Signal.ACTIVITY:
            plane, column, stream = 0, neuron, self._all.activity
        else:
            plane, column = self._all.place_of(neuron)
            found = self._all.fluorescence.get(plane)
            if found is None:
                return None
            stream = found
        return (stream, plane, column) if column < stream.values.shape[1] else None

    def _trace(self, neuron: int, signal: Signal) -> Trace:
        found = self._stream_of(neuron, signal)
        if found is None:
            raise KeyError(neuron)
        stream, plane, column = found
        before, sent = self._traced.get((neuron, signal), (None, 0))
        restarts = before is not stream
        rows = stream.since(0 if restarts else sent)
        self._traced[neuron, signal] = stream, stream.count
        t_s = stream.times(rows)
        if signal is Signal.ACTIVITY:
            t_s = t_s / self._all.frame_rate_hz
        return Trace(neuron, signal, plane, t_s, stream.values[rows, column], restarts)

    def _samples(self) -> list[bytes]:
        found = []
        behaviour, shifts = self._all.behaviour, self._all.shifts
        if (rows := behaviour.since(self._behaviour)).size:
            found.append(_packet(Samples.BEHAVIOUR, behaviour, rows, self._behaviour))
        if (rows := shifts.since(self._shifts)).size:
            found.append(_packet(Samples.SHIFT, shifts, rows, self._shifts))
        self._behaviour, self._shifts = behaviour.count, shifts.count
        return found


def _packet(what: Samples, stream: Recent, rows: NDArray[np.intp], sent: int) -> bytes:
    return samples_packet(what, stream.times(rows), stream.values[rows], restarts=not sent)


_CLOSED, _EMPTY = 0, 2
"""Numbers of the message `watch`: the tab is closed, or opened without traces; any other opens."""


def watched(
    microscope: Microscope, before: MicroscopeWatcher | None, said: BrowserMessage
) -> MicroscopeWatcher | None:
    """The watcher of a browser after its message watch, trace or untrace."""
    if said.what == "watch":
        empty: list[int] | None = [] if said.number == _EMPTY else None
        return None if said.number == _CLOSED else MicroscopeWatcher(microscope, empty)
    if before is not None and said.what == "trace":
        before.choose(said.number)
    elif before is not None:
        before.leave(said.number)
    return before
