"""Browsers that watch the Microscope tab get each sample once, whenever they can be sent some."""

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.schema.messages import Behaviour, Fluorescence, Received, Responses, Stamped
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.view.browser_input import BrowserMessage
from rtdecode.view.microscope import KEPT_S, MOST_TRACES, Microscope, Recent
from rtdecode.view.microscope_packets import OrderedBy
from rtdecode.view.microscope_watcher import MicroscopeWatcher, watched

FRAME_NS = 33_333_333
RATE_HZ = 30.0
NEURONS = 12


def sent(body: Any) -> Received:
    return Received(Stamped("decoder", 0, 0, "host", body), 0)


def responses(frame: int, activity: NDArray[np.float32]) -> Received:
    t_ns = frame * FRAME_NS
    return sent(Responses(activity, np.isfinite(activity), frame, t_ns, t_ns, t_ns, t_ns, t_ns))


def fluorescence(number: int, f_raw: NDArray[np.float32], *, plane: int = 0) -> Received:
    shift = np.array([0.5, -1.5], np.float32)
    return sent(Fluorescence(f_raw, f_raw * 0 + 10, number, number * FRAME_NS, shift, plane))


def neurons(
    count: int, *, first: int = 0, plane: int = 0, places: bool = False, rows: int = 8
) -> PlaneNeurons:
    pixels = (np.arange(count)[::-1] % 8 * 8).astype(np.int32)
    placed = np.linspace(1, -1, count if places else 0, dtype=np.float32)
    indptr = np.arange(count + 1, dtype=np.int32)
    return PlaneNeurons(plane, first, rows, 8, indptr, pixels, placed, placed, f"{plane}")


def microscope() -> Microscope:
    return Microscope(frame_rate_hz=RATE_HZ, neuropil_weight=0.7)


def columns_of(packets: list[bytes]) -> list[tuple[float, bool]]:
    """Frame of each column of activity, and whether it restarts the raster."""
    found = []
    for data in packets:
        if data[:2] == b"\x04\x00":
            columns, restarts = struct.unpack_from("<H", data, 2)[0], data[20] == 1
            frames = np.frombuffer(data, "<f8", columns, 24)
            found += [(float(f), restarts and k == 0) for k, f in enumerate(frames)]
    return found


def traces_of(packets: list[bytes]) -> dict[tuple[int, int], list[float]]:
    found: dict[tuple[int, int], list[float]] = {}
    for data in packets:
        if data[:2] != b"\x04\x01":
            continue
        at = 8
        for _ in range(struct.unpack_from("<H", data, 2)[0]):
            neuron, signal, _, _, n, restarts = struct.unpack_from("<IBBHII", data, at)
            values = np.frombuffer(data, "<f4", n, at + 16 + 8 * n).tolist()
            found[neuron, signal] = ([] if restarts else found[neuron, signal]) + values
            at += 16 + 12 * n + 4 * (n % 2)
    return found


@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_any_times_of_sending_give_the_same_samples(cuts: list[int], seed: int) -> None:
    rng, state = np.random.default_rng(seed), microscope()
    watcher = MicroscopeWatcher(state, [3, 5])
    packets, values, frame = [], [], 0
    for cut in cuts:
        for _ in range(cut):
            activity = rng.uniform(0.5, 1, NEURONS).astype(np.float32)
            values.append(activity[5])
            state.add(responses(frame, activity))
            state.add(fluorescence(frame, activity * 100))
            frame += 1
        packets += watcher.packets()
    assert watcher.packets() == []
    assert [f for f, _ in columns_of(packets)] == list(range(frame))
    traces = traces_of(packets)
    assert traces[5, 0] == [float(v) for v in values]
    np.testing.assert_allclose(traces[5, 1], np.array(values) * 100 - 7, rtol=1e-5)


def test_a_browser_that_opens_the_tab_gets_the_last_20_s_at_once() -> None:
    state, rng = microscope(), np.random.default_rng(0)
    for frame in range(1000):
        state.add(responses(frame, rng.uniform(0.5, 1, NEURONS).astype(np.float32)))
        state.add(sent(Behaviour(frame * FRAME_NS, 3.0, 40.0, np.zeros(2, np.float32))))
    packets = MicroscopeWatcher(state).packets()
    kept = round(KEPT_S * RATE_HZ)
    assert columns_of(packets) == [(f, f == 1000 - kept) for f in range(1000 - kept, 1000)]
    (behaviour,) = (one for one in packets if one[:2] == b"\x05\x00")
    n = struct.unpack_from("<I", behaviour, 4)[0]
    assert np.frombuffer(behaviour, "<f4", 2 * n, 8 + 8 * n).tolist() == [3.0] * n + [40.0] * n


def test_traces_begin_with_the_most_variable_neurons_and_end_with_the_chosen_ones() -> None:
    state = microscope()
    watcher = MicroscopeWatcher(state)
    for frame in range(100):
        activity = np.full(NEURONS, 1, np.float32)
        activity[:9] += (np.arange(9, dtype=np.float32) + 1) * (frame % 2)
        state.add(responses(frame, activity))
    assert sorted(traces_of(watcher.packets())) == [(n, 0) for n in range(1, 9)]
    for what, neuron in (("trace", 0), ("untrace", 4), ("trace", NEURONS), ("trace", 10**12)):
        assert watched(state, watcher, BrowserMessage(what, neuron)) is watcher
    (data,) = watcher.packets()
    chosen = [2, 3, 5, 6, 7, 8, 0]
    assert struct.unpack_from("<H", data, 2)[0] == len(chosen) == MOST_TRACES - 1
    state.add(responses(100, np.ones(NEURONS, np.float32)))
    again = MicroscopeWatcher(state, chosen)
    assert list(traces_of(again.packets())) == [(neuron, 0) for neuron in chosen]


def test_the_messages_of_the_tab_open_and_close_it() -> None:
    state = microscope()
    assert watched(state, None, BrowserMessage("trace", 3)) is None
    opened = watched(state, None, BrowserMessage("watch", 1))
    assert isinstance(opened, MicroscopeWatcher)
    assert watched(state, opened, BrowserMessage("watch", 0)) is None


def test_the_raster_is_sorted_by_place_else_by_roi_else_as_sent() -> None:
    state = microscope()
    state.add(responses(0, np.ones(NEURONS, np.float32)))
    assert state.order()[1] is OrderedBy.SOURCE
    state.add(sent(neurons(8)))
    assert state.order()[1] is OrderedBy.SOURCE  # of 12 neurons 8 are known
    state.add(sent(neurons(4, first=8, plane=1)))
    order, by = state.order()
    assert by is OrderedBy.ROI
    assert order.tolist() == [*range(7, -1, -1), *range(11, 7, -1)]
    state.add(sent(replace(neurons(8, places=True), rois_hash="other")))
    state.add(sent(replace(neurons(4, first=8, plane=1, places=True), rois_hash="other")))
    order, by = state.order()
    assert by is OrderedBy.PLACE
    assert order[-1] in (0, 8)


def test_another_number_of_neurons_or_another_scale_begins_the_raster_anew() -> None:
    state = microscope()
    watcher = MicroscopeWatcher(state, [])
    for frame, count in ((0, 5), (1, 5), (2, 7), (3, 7)):
        state.add(responses(frame, np.ones(count, np.float32)))
        columns = columns_of(watcher.packets())
        assert columns == [(frame, frame in (0, 2))]
    for frame in range(4, 80):
        state.add(responses(frame, np.full(7, 9, np.float32)))
    assert columns_of(watcher.packets())[0] == (2, True)
    assert state.largest == pytest.approx(2**3.5)


def test_missing_measurements_are_level_0_and_nothing_else_is() -> None:
    state = microscope()
    activity = np.array([np.nan, 0, 1], np.float32)
    state.add(responses(0, activity))
    data = next(one for one in MicroscopeWatcher(state, []).packets() if one[:2] == b"\x04\x00")
    assert list(data[-3:]) == [0, 1, 255]


def test_each_picture_is_sent_once_to_each_browser() -> None:
    state = microscope()
    one, other = MicroscopeWatcher(state, []), MicroscopeWatcher(state, [])
    for number in range(3):
        picture = np.full((4, 6), number, np.uint8)
        state.add(sent(FieldOfView(picture, 0, number, number, 2, 0.0, 100.0)))
        assert [data[-1] for data in one.packets() if data[0] == 3] == [number]
    assert [data[-1] for data in other.packets() if data[0] == 3] == [2]


@pytest.mark.parametrize(
    "changed",
    [
        {"roi_pixels": np.full(4, 64, np.int32)},
        {"roi_pixels": np.full(4, -1, np.int32)},
        {"indptr": np.array([0, 3, 2, 3, 4], np.int32)},
        {"indptr": np.array([1, 2, 3, 4, 4], np.int32)},
        {"indptr": np.zeros(0, np.int32)},
        {"place_x": np.zeros(3, np.float32)},
        {"rows_px": 2**20},
        {"rows_px": -8},
        {"plane": 64},
        {"first_neuron": -1},
    ],
)
def test_neurons_whose_indices_cannot_be_used_are_left_out(changed: dict[str, Any]) -> None:
    state = microscope()
    state.add(sent(replace(neurons(4), **changed)))
    assert state.neurons == {}
    assert MicroscopeWatcher(state).packets()[-1][:2] == b"\x06\x01"


@given(st.integers(1, 200), st.integers(0, 300))
def test_the_newest_samples_are_kept_in_their_order(most: int, count: int) -> None:
    kept = Recent(1, samples=most)
    for k in range(count):
        kept.add(float(k), (2.0 * k,))
    rows = kept.since(0)
    assert kept.times(rows).tolist() == list(range(max(0, count - most), count))
    assert kept.values[rows, 0].tolist() == [2.0 * k for k in range(max(0, count - most), count)]


def test_memory_does_not_grow_with_the_number_of_neurons() -> None:
    assert Recent(200_000, samples=600).values.nbytes < 40e6
