"""Any message survives the wire; anything else is refused by name."""

import dataclasses
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.codec import WIRE_VERSION, pack, topic, topics, unpack
from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.errors import MessageError
from rtdecode.schema.messages import (
    BODIES,
    Body,
    DisplayedFrame,
    End,
    Fluorescence,
    Gap,
    Health,
    Scan,
    Stamped,
)

INT64 = st.integers(-(2**62), 2**62)
TEXT = st.text(max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def arrays(draw: st.DrawFn, spec: ArraySpec) -> Any:
    shape = draw(st.lists(st.integers(0, 3), min_size=spec.rank, max_size=spec.rank))
    if np.prod(shape) > spec.max_items:
        shape = [min(spec.max_items, 2)] * spec.rank
    dtype = draw(st.sampled_from(spec.dtypes))
    content = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 2, shape)
    return content.astype(dtype)


def fields_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Annotated:
        return arrays(get_args(hint)[1])
    if get_origin(hint) is dict:
        return st.dictionaries(TEXT, fields_of(get_args(hint)[1]), max_size=3)
    return {int: INT64, float: NUMBER, bool: st.booleans(), str: TEXT}[hint]


@st.composite
def messages(draw: st.DrawFn) -> Stamped:
    kind = draw(st.sampled_from(BODIES))
    hints = get_type_hints(kind, include_extras=True)
    values = {f.name: draw(fields_of(hints[f.name])) for f in dataclasses.fields(kind)}
    return Stamped(draw(TEXT), draw(INT64), draw(INT64), "host", kind(**values))


def same(one: Body, two: Body) -> bool:
    pairs = ((getattr(one, f.name), getattr(two, f.name)) for f in dataclasses.fields(one))
    return type(one) is type(two) and all(
        np.array_equal(a, b) and a.dtype == b.dtype if isinstance(a, np.ndarray) else a == b
        for a, b in pairs
    )


@given(messages())
def test_any_message_survives(message: Stamped) -> None:
    back = unpack(pack(message))
    envelope = ("source", "seq", "t_ns", "clock", "stream")
    assert all(getattr(back, name) == getattr(message, name) for name in envelope)
    assert same(back.body, message.body)


@given(messages(), st.data())
def test_any_truncation_is_refused(message: Stamped, data: st.DataObject) -> None:
    whole = pack(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MessageError):
        unpack(whole[:cut])


@given(st.binary(max_size=200))
def test_noise_is_refused_by_name(noise: bytes) -> None:
    with pytest.raises(MessageError):
        unpack(noise)


@given(messages())
def test_a_message_begins_with_its_topic_and_no_other(message: Stamped) -> None:
    whole = pack(message)
    fitting = [body.kind for body in BODIES if whole.startswith(topic(body.kind))]
    assert fitting == [message.body.kind]


GAP = Stamped("bridge", 3, 4, "host", Gap("bridge/scan", 1, 2, "decoder"))


def changed(**changes: Any) -> bytes:
    wire = msgpack.unpackb(pack(GAP)) | changes
    packed: bytes = msgpack.packb(wire)
    return packed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": 3}, "version 3 was got, versions 1 and 2 can be read"),
        ({"v": 0}, "version 0 was got"),
        ({"kind": "gab"}, "unknown kind 'gab'"),
        ({"seq": "3"}, "seq must be int"),
        ({"seq": True}, "seq must be int"),
        ({"n_missing": 2.5}, "n_missing must be int"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        unpack(changed(**changes))


def test_a_field_of_a_later_release_is_ignored() -> None:
    back = unpack(changed(surplus=[1, {"two": 2}])).body
    assert same(back, GAP.body)


def test_an_optional_field_of_a_later_release_may_be_missing() -> None:
    nothing = np.zeros(2, np.float32)
    values = Fluorescence(nothing, nothing, 3, 4, nothing, plane=2)
    wire = msgpack.unpackb(pack(Stamped("decoder", 0, 0, "host", values)))
    del wire["plane"]
    back = unpack(msgpack.packb(wire)).body
    assert isinstance(back, Fluorescence)
    assert (back.number, back.plane) == (3, 0)
    del wire["number"]
    with pytest.raises(MessageError, match="fields missing: number"):
        unpack(msgpack.packb(wire))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.kind)
def test_subscribers_get_messages_with_more_and_with_fewer_fields(body: type[Body]) -> None:
    names = dataclasses.fields(body)
    assert topic(body.kind) in topics(body.kind)
    head = {"v": WIRE_VERSION, "kind": body.kind, "source": "", "seq": 0, "t_ns": 0, "clock": ""}
    required = [f.name for f in names if _is_required(f)]
    for fields in (required, [*required, *"abc"], [f.name for f in names] + ["later"]):
        data = msgpack.packb(head | dict.fromkeys(fields, 0))
        assert any(data.startswith(prefix) for prefix in topics(body.kind))
        others = [one.kind for one in BODIES if one is not body]
        assert not any(data.startswith(prefix) for kind in others for prefix in topics(kind))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


SHOWN_1 = {
    "v": 1,
    "kind": "shown_frame",
    "source": "stimulus",
    "seq": 0,
    "t_ns": 5,
    "clock": "host",
    "clip": "c",
    "index": 3,
    "luminance": {"dtype": "uint8", "shape": [1, 1], "data": b"\7"},
    "t_flip_ns": 4,
    "flips": 2,
}


def test_a_message_of_version_1_is_read_as_one_of_today() -> None:
    message = unpack(msgpack.packb(SHOWN_1))
    assert message.stream == "stimulus/displayed_frame"
    assert isinstance(message.body, DisplayedFrame)
    assert (message.body.clip, message.body.luminance.tolist()) == ("c", [[7]])


def test_names_of_version_1_are_refused_in_version_2() -> None:
    with pytest.raises(MessageError, match="unknown kind 'shown_frame'"):
        unpack(msgpack.packb(SHOWN_1 | {"v": 2}))


def scan(pixels: Any) -> Stamped:
    return Stamped("bridge", 0, 0, "host", Scan(pixels, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "array",
    [
        {"dtype": "object", "shape": [1, 1], "data": b"\0" * 8},
        {"dtype": "uint16", "shape": [2**31, 2**31], "data": b""},
        {"dtype": "uint16", "shape": [-1, 1], "data": b""},
        {"dtype": "uint16", "shape": [1], "data": b"\0\0"},
        {"dtype": "uint16", "shape": [1, 2], "data": b"\0\0"},
        [1, 2, 3],
    ],
)
def test_an_array_is_checked_before_it_is_made(array: Any) -> None:
    wire = msgpack.unpackb(pack(scan(np.zeros((1, 1), np.uint16))))
    wire["pixels_counts"] = array
    with pytest.raises(MessageError, match="pixels_counts"):
        unpack(msgpack.packb(wire))


def test_a_wrong_dtype_does_not_leave() -> None:
    with pytest.raises(MessageError, match="float32 of shape"):
        pack(scan(np.zeros((2, 2), np.float32)))


def test_nan_does_not_travel() -> None:
    f_raw = np.array([np.nan], np.float32)
    body = Fluorescence(f_raw, f_raw * 0, 0, 0, np.zeros(2, np.float32))
    with pytest.raises(MessageError, match="NaN"):
        pack(Stamped("decoder", 0, 0, "host", body))


def test_big_endian_and_strided_arrays_arrive_right() -> None:
    pixels = np.arange(12, dtype=">u2").reshape(3, 4)[:, ::2]
    body = unpack(pack(scan(pixels))).body
    assert isinstance(body, Scan)
    np.testing.assert_array_equal(body.pixels_counts, [[0, 2], [4, 6], [8, 10]])


def test_a_health_counter_may_be_a_whole_number() -> None:
    body = unpack(pack(Stamped("v", 0, 0, "host", Health("running", "", {"n": 3})))).body
    assert isinstance(body, Health)
    assert body.counters == {"n": 3.0}


def test_a_map_of_millions_of_entries_is_refused_before_it_is_made() -> None:
    # of a message within the permitted size; as a dictionary it would take a gigabyte
    wire = msgpack.unpackb(pack(Stamped("v", 0, 0, "host", Health("running", "", {}))))
    body = b"".join(msgpack.packb(key) + b"\x01" for key in range(100_000))
    packer = msgpack.Packer()
    entries = packer.pack_map_header(5_000_000) + body
    head = packer.pack_map_header(len(wire))
    rest = b"".join(packer.pack(k) + packer.pack(v) for k, v in wire.items() if k != "counters")
    with pytest.raises(MessageError, match="more than 10,000 values"):
        unpack(head + rest + packer.pack("counters") + entries)
    many = {f"kind{n}": n for n in range(1_001)}
    with pytest.raises(MessageError, match="max_map_len"):
        unpack(pack(Stamped("v", 0, 0, "host", End("s", "", many))))
