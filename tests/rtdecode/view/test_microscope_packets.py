"""What Python packs for the Microscope tab, the reader of the page returns, in a real browser."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons
from rtdecode.view.microscope_packets import (
    OrderedBy,
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
from rtdecode.view.server import PageServer

READ = """async (packets) => {
    const { readMicroscope } = await import("/microscope_packets.js");
    const plain = (value) => (
        ArrayBuffer.isView(value) ? Array.from(value, (v) => (Number.isNaN(v) ? null : v))
        : Array.isArray(value) ? value.map(plain)
        : value && typeof value === "object"
            ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
        : value
    );
    return packets.map((bytes) => plain(readMicroscope(Uint8Array.from(bytes).buffer)));
}"""


@pytest.fixture
def reader(rig: Any, tab: Page) -> Iterator[Any]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        tab.goto(server.start())
        yield lambda *packets: tab.evaluate(READ, [list(data) for data in packets])
    finally:
        server.stop()


def test_pictures_and_neurons_are_read_as_they_were(reader: Any) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (5, 7)).astype(np.uint8)
    indptr, pixels = np.array([0, 2, 3], np.int32), np.array([4, 5, 34], np.int32)
    nothing = np.zeros(0, np.float32)
    field, neurons, order = reader(
        field_packet(FieldOfView(picture, 3, 2**40, 2_500_000_000, 2, -1.5, 900.25)),
        neurons_packet(PlaneNeurons(3, 12, 5, 7, indptr, pixels, nothing, nothing)),
        order_packet(np.array([2, 0, 1]), OrderedBy.PLACE),
    )
    assert field == {
        "what": "field", "plane": 3, "rows": 5, "cols": 7, "bin": 2, "number": 2**40, "t": 2.5,
        "low": -1.5, "high": 900.25, "pixels": picture.ravel().tolist(),
    }  # fmt: skip
    assert neurons == {
        "what": "neurons", "plane": 3, "rows": 5, "cols": 7, "first": 12, "count": 2,
        "onScreen": False, "indptr": [0, 2, 3], "pixels": [4, 5, 34],
    }  # fmt: skip
    assert order == {"what": "order", "by": 2, "order": [2, 0, 1]}


def test_places_become_dots_on_the_screen(reader: Any) -> None:
    corner = np.array([-1, 1], np.float32)
    body = PlaneNeurons(0, 0, 0, 0, np.zeros(3, np.int32), np.zeros(0, np.int32), corner, corner)
    (neurons,) = reader(neurons_packet(body))
    rows, cols = neurons["rows"], neurons["cols"]
    first, last = (np.divmod(neurons["pixels"][k : k + 9], cols) for k in (0, 9))
    assert neurons["onScreen"]
    assert (first[0].min(), first[1].min()) == (0, 0)
    assert (last[0].max(), last[1].max()) == (rows - 1, cols - 1)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_samples_of_any_number_are_read_in_place(reader: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    t_s, values = rng.uniform(0, 1e6, n), rng.normal(size=(n, 3)).astype(np.float32)
    levels = np.array([[np.nan, 0, 1, 4]] * n, np.float32).reshape(n, 4)
    traces = [
        Trace(7, Signal.ACTIVITY, 0, t_s, values[:, 0], restarts=True),
        Trace(70_000, Signal.FLUORESCENCE, 2, t_s, values[:, 1], restarts=False),
    ]
    activity, both, behaviour, shift = reader(
        activity_columns_packet(t_s, levels, rate_hz=29.97, largest=4.0, restarts=n == 1),
        traces_packet(traces),
        samples_packet(Samples.BEHAVIOUR, t_s, values[:, :2], restarts=True),
        samples_packet(Samples.SHIFT, t_s, values, restarts=False),
    )
    assert activity["frames"] == t_s.tolist()
    assert activity["levels"] == [0, 1, 128, 255] * n
    assert (activity["rate"], activity["largest"], activity["restarts"]) == (29.97, 4.0, n == 1)
    for read, sent in zip(both["traces"], traces, strict=True):
        assert (read["neuron"], read["signal"], read["plane"]) == (
            sent.neuron, sent.signal, sent.plane,
        )  # fmt: skip
        assert (read["times"], read["values"]) == (t_s.tolist(), sent.values.tolist())
        assert read["restarts"] is sent.restarts
    assert (behaviour["what"], behaviour["restarts"]) == ("behaviour", True)
    assert behaviour["values"] == values[:, :2].T.tolist()
    assert (shift["what"], shift["values"]) == ("shift", values.T.tolist())
    assert shift["times"] == t_s.tolist()


def test_a_missing_value_is_read_as_missing(reader: Any) -> None:
    missing = np.array([np.nan], np.float32)
    (packet,) = reader(traces_packet([Trace(1, Signal.ACTIVITY, 0, np.ones(1), missing, True)]))
    assert packet["traces"][0]["values"] == [None]


def test_a_packet_of_another_release_is_left_out(reader: Any) -> None:
    assert reader(b"\x09\x00" + bytes(30), b"\x04\x07" + bytes(30)) == [None, None]
