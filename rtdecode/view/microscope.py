"""What the Microscope tab shows: the last 20 s of all neurons, behaviour, shifts, field of view.

Duties: keep the newest samples of each stream in arrays of fixed size. It depends on no socket and
no browser; `microscope_watcher` makes the packets for browsers that watch the tab.

    microscope = Microscope(frame_rate_hz=30.0, neuropil_weight=0.7)
    for item in subscriber.take(0.1):
        microscope.add(item)
"""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import Behaviour, Fluorescence, Received, Responses
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.view.microscope_packets import OrderedBy

_NS_PER_S = 1e9
KEPT_S = 20.0
_MOST_VALUES = 8_000_000
"""Values of one array: with more than 13,000 neurons less than 20 s are kept."""
_FEWEST_SAMPLES = 30
_LONGEST_RATE_HZ = 60.0
"""Rate of scans of one plane up to which 20 s of fluorescence are kept."""
_BEHAVIOUR_S = 0.01
"""Samples of behaviour that follow sooner are left out."""
_SCALED_EVERY, _SCALED_OVER = 30, 20
"""Frames of which the largest activity is taken together, and the number of such that count."""
_LARGEST_PERCENTILE = 99.5
MOST_TRACES = 8
_CHOSEN_AFTER = 60
"""Frames with measurements after which the most variable neurons are known."""
_MOST_PLANES = 64


class Recent:
    """The newest samples of a stream: times (sample,) and values (sample, quantity)."""

    def __init__(self, quantities: int, *, samples: int) -> None:
        fits = max(_FEWEST_SAMPLES, _MOST_VALUES // max(1, quantities))
        self._most = min(samples, fits)
        self._t = np.zeros(self._most)
        self.values = np.full((self._most, quantities), np.nan, np.float32)
        self.count = 0
        """Samples so far, also those that have been overwritten."""

    def add(self, t: float, values: NDArray[np.float32] | tuple[float, ...]) -> None:
        """Keep a sample in place of the oldest one."""
        at = self.count % self._most
        self._t[at], self.values[at] = t, values
        self.count += 1

    def newest(self) -> float:
        """Time of the newest sample; minus infinity before the first."""
        return float(self._t[(self.count - 1) % self._most]) if self.count else -math.inf

    def since(self, count: int) -> NDArray[np.intp]:
        """Rows of the samples after the first `count`, oldest first, as far as they are kept."""
        return np.arange(max(count, self.count - self._most, 0), self.count) % self._most

    def times(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Times of these rows."""
        return self._t[rows]


class Microscope:
    """The newest samples of all streams of the tab.

    Parameters
    ----------
    frame_rate_hz
        Rate of the frame grid.
    neuropil_weight
        Weight w of f_raw - w f_neuropil, the fluorescence of the traces.
    """

    def __init__(self, *, frame_rate_hz: float, neuropil_weight: float) -> None:
        self.frame_rate_hz, self._weight = frame_rate_hz, np.float32(neuropil_weight)
        self.activity = self._of_frames(0)
        """Times are frame numbers."""
        self.fluorescence: dict[int, Recent] = {}
        self.behaviour = Recent(2, samples=round(KEPT_S / _BEHAVIOUR_S))
        self.shifts = Recent(3, samples=round(2 * KEPT_S * _LONGEST_RATE_HZ))
        self.pictures: dict[int, FieldOfView] = {}
        self.neurons: dict[int, PlaneNeurons] = {}
        self.version = 0
        """Changes with the neurons, and with the scale of activity."""
        self.largest = 1.0
        """Activity that is displayed as the brightest; a power of √2."""
        self._peaks: deque[float] = deque(maxlen=_SCALED_OVER)
        self._measured = 0

    def _of_frames(self, neurons: int) -> Recent:
        return Recent(neurons, samples=math.ceil(KEPT_S * self.frame_rate_hz))

    def add(self, item: Received) -> None:
        """Keep what a message of any kind adds."""
        match item.message.body:
            case Responses() as body:
                self._add_activity(body)
            case Fluorescence() as body:
                self._add_fluorescence(body)
            case Behaviour() as body:
                t_s = body.t_sample_ns / _NS_PER_S
                if not t_s - self.behaviour.newest() < _BEHAVIOUR_S:
                    self.behaviour.add(t_s, (body.running_cm_s, body.pupil_diameter_px))
            case FieldOfView() as body if 0 <= body.plane < _MOST_PLANES:
                self.pictures[body.plane] = body
            case PlaneNeurons() as body if _is_sound(body):
                self._add_neurons(body)

    def _add_neurons(self, body: PlaneNeurons) -> None:
        known = self.neurons.get(body.plane)
        if known is None or known.rois_hash != body.rois_hash:
            self.neurons[body.plane] = body
            self.version += 1

    def most_variable(self) -> list[int] | None:
        """The neurons whose activity varies most, in their order; None while it is unknown."""
        if self._measured < _CHOSEN_AFTER:
            return None
        kept = self.activity.values
        measured = np.isfinite(kept)
        n = np.maximum(measured.sum(0), 1)
        mean = np.where(measured, kept, 0).sum(0) / n
        variance = np.where(measured, (kept - mean) ** 2, 0).sum(0) / n
        return sorted(int(one) for one in np.argsort(variance)[::-1][:MOST_TRACES])

    def order(self) -> tuple[NDArray[np.intp], OrderedBy]:
        """Neurons from the top of the raster to its bottom, and by what they are sorted."""
        count = self.activity.values.shape[1]
        planes = [self.neurons[plane] for plane in sorted(self.neurons)]
        if planes and sum(len(one.place_x) for one in planes) == count:
            places = np.concatenate([one.place_x for one in planes])
            return np.argsort(places, kind="stable"), OrderedBy.PLACE
        rows = [_middle_rows(one) for one in planes]
        if planes and sum(len(one) for one in rows) == count:
            return np.argsort(np.concatenate(rows), kind="stable"), OrderedBy.ROI
        return np.arange(count), OrderedBy.SOURCE

    def place_of(self, neuron: int) -> tuple[int, int]:
        """Plane of a neuron, and its index in that plane."""
        for plane, one in self.neurons.items():
            if one.first_neuron <= neuron < one.first_neuron + len(one.indptr) - 1:
                return plane, neuron - one.first_neuron
        return 0, neuron

    def _add_activity(self, body: Responses) -> None:
        if body.activity.size != self.activity.values.shape[1]:
            self.activity = self._of_frames(body.activity.size)
            self._measured, self.version = 0, self.version + 1
        self.activity.add(body.frame, np.where(body.valid, body.activity, np.float32(np.nan)))
        measured = bool(body.valid.any())
        self._measured += measured
        if measured and self._measured % _SCALED_EVERY == 1:
            self._scale()

    def _scale(self) -> None:
        """Take the largest activity of the last seconds as the brightest."""
        newest = self.activity.values[self.activity.since(self.activity.count - _SCALED_EVERY)]
        values = newest[np.isfinite(newest)]
        self._peaks.append(float(np.percentile(values, _LARGEST_PERCENTILE)))
        largest = _power_of_root_two(max(self._peaks))
        if largest > self.largest or largest < self.largest / 2:
            self.largest, self.version = largest, self.version + 1

    def _add_fluorescence(self, body: Fluorescence) -> None:
        known = self.fluorescence.get(body.plane)
        if known is None or known.values.shape[1] != body.f_raw.size:
            if len(self.fluorescence) >= _MOST_PLANES:
                return
            known = Recent(body.f_raw.size, samples=round(KEPT_S * _LONGEST_RATE_HZ))
            self.fluorescence[body.plane] = known
        t_s = body.t_scan_ns / _NS_PER_S
        corrected = body.f_raw
        if body.f_neuropil.shape == body.f_raw.shape:
            corrected = body.f_raw - self._weight * body.f_neuropil
        known.add(t_s, corrected)
        if body.shift_px.size == 2:  # noqa: PLR2004 - row and column
            row, col = (float(v) for v in body.shift_px)
            self.shifts.add(t_s, (row, col, float(body.plane)))


def _is_sound(body: PlaneNeurons) -> bool:
    """Whether its indices can be used, and its places belong to its neurons."""
    steps, count = np.diff(body.indptr), len(body.indptr) - 1
    placed = len(body.place_x) == len(body.place_y) and len(body.place_x) in (0, count)
    if count < 0 or not placed or not 0 <= body.plane < _MOST_PLANES or body.first_neuron < 0:
        return False
    most = body.rows_px * body.cols_px
    inside = not body.roi_pixels.size or (
        body.roi_pixels.min() >= 0 and body.roi_pixels.max() < most
    )
    sides = max(body.rows_px, body.cols_px) < 2**16 and min(body.rows_px, body.cols_px) >= 0
    indexed = not steps.size or (steps.min() >= 0 and body.indptr[0] == 0)
    return bool(inside and sides and indexed and body.indptr[-1] == len(body.roi_pixels))


def _middle_rows(body: PlaneNeurons) -> NDArray[np.float64]:
    """(neuron,) mean row of each ROI, after those of lower planes; empty where it is unknown."""
    sizes = np.diff(body.indptr)
    if not sizes.size or not sizes.min():
        return np.zeros(0)
    rows = np.add.reduceat((body.roi_pixels // body.cols_px).astype(np.float64), body.indptr[:-1])
    return rows / sizes + body.plane * 2.0**16


def _power_of_root_two(value: float) -> float:
    return float(2 ** (math.ceil(2 * math.log2(max(value, 1e-6))) / 2))
