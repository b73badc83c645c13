"""Messages beyond a limit are refused before they take memory; those of a backlog never are."""

import resource
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.limits import (
    CONFIG_CHARS,
    CONTROL_BYTES,
    MAX_VALUES,
    MOST_STREAMS,
    NAME_CHARS,
    TEXT_CHARS,
    PeerLimits,
    Rate,
    backlog_rate,
    brief,
    permit_many_files,
    require_few_values,
)
from rtdecode.runtime.refused import RefusedMessages
from rtdecode.runtime.sockets import Messaging, received_parts
from rtdecode.schema.bounded import Recent
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.messages import (
    DisplayedFrame,
    Event,
    Health,
    Responses,
    Scan,
    Stamped,
    Start,
)

CLOCK = HostClock()
SECOND_NS = 1_000_000_000
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=300)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def n_values(value: Any) -> int:
    """Values of `value` with all that are inside, by another way than the module's."""
    if isinstance(value, list):
        return 1 + sum(map(n_values, value))
    if isinstance(value, dict):
        return 1 + sum(1 + n_values(inner) for inner in value.values())
    return 1


@given(VALUES, st.integers(0, 2))
def test_the_values_of_any_message_are_counted_exactly(value: Any, over: int) -> None:
    filler = MAX_VALUES - n_values(value) - 2 + over
    long = bytes(70_000)
    data = msgpack.packb([value, *[1] * filler, long])
    if over:
        with pytest.raises(MessageError, match="more than 10,000 values"):
            require_few_values(data)
    else:
        require_few_values(data)


@pytest.mark.parametrize("tiny", [b"\x80", b"\x90", b"\xc0", b"\xa0"])
def test_a_long_message_of_tiny_values_takes_no_memory(tiny: bytes) -> None:
    inner = b"\xdf" + (30_000_000).to_bytes(4, "big")
    data = b"\x81\xa1v" + inner + tiny * 8_000_000
    tracemalloc.start()
    with pytest.raises(MessageError) as refused:
        unpack(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.refusal is Refusal.TOO_LARGE
    assert peak < 1_000_000


def test_nested_heads_of_long_lists_take_no_memory() -> None:
    # each head of five bytes asks for a list of 10,000 items
    data = b"\xdd\x00\x00\x27\x10" * 500
    tracemalloc.start()
    with pytest.raises(MessageError):
        unpack(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def changed(message: Stamped, **changes: Any) -> bytes:
    wire = msgpack.unpackb(pack(message)) | changes
    packed: bytes = msgpack.packb(wire)
    return packed


SCAN = Stamped("bridge", 0, 0, "host", Scan(np.zeros((2, 3), np.uint16), 0, 0, 0, 1))
ONE = np.zeros(1, np.float32)
RESPONSES = Stamped("decoder", 0, 0, "host", Responses(ONE, ONE > 1, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("message", "field", "shape"),
    [
        (SCAN, "pixels_counts", [0, 2**62]),
        (SCAN, "pixels_counts", [2**63, 0]),
        (SCAN, "pixels_counts", [2**64 - 1, 0]),
        (SCAN, "pixels_counts", [1, 65_536]),
        (RESPONSES, "activity", [2**40]),
    ],
)
def test_a_side_beyond_its_limit_is_refused_also_without_data(
    message: Stamped, field: str, shape: list[int]
) -> None:
    dtype = "uint16" if field == "pixels_counts" else "float32"
    with pytest.raises(MessageError, match="sides of at most"):
        unpack(changed(message, **{field: {"dtype": dtype, "shape": shape, "data": b""}}))


@pytest.mark.parametrize("value", ["x" * 50_000_000, b"x" * 50_000_000, [1] * 60])
def test_a_wrong_value_of_megabytes_is_not_made_a_text(value: Any) -> None:
    assert len(brief(value)) < 80


def start(config_yaml: str) -> Stamped:
    return Stamped("bridge", 0, 0, "host", Start("s", config_yaml, "", ""))


def event(text: str) -> Stamped:
    return Stamped("bridge", 0, 0, "host", Event("info", "bridge", "code", text))


@pytest.mark.parametrize(
    ("message", "field", "most"),
    [
        (start(""), "config_yaml", CONFIG_CHARS),
        (start(""), "session", NAME_CHARS),
        (event(""), "text", TEXT_CHARS),
        (event(""), "code", NAME_CHARS),
        (event(""), "source", NAME_CHARS),
    ],
)
def test_texts_are_limited_by_their_field(message: Stamped, field: str, most: int) -> None:
    unpack(changed(message, **{field: "é" * most}))
    with pytest.raises(MessageError, match="characters") as refused:
        unpack(changed(message, **{field: "é" * (most + 1)}))
    assert refused.value.refusal is Refusal.TOO_LARGE


def test_what_rtdecode_sends_is_never_too_long_and_says_that_it_was_cut() -> None:
    body = unpack(pack(event("why " * 10_000))).body
    assert isinstance(body, Event)
    assert len(body.text) == TEXT_CHARS
    assert body.text.endswith(" [shortened]")


@given(st.lists(st.integers(0, 3 * SECOND_NS), max_size=60), st.integers(1, 20))
def test_a_rate_permits_its_burst_and_then_its_mean(steps_ns: list[int], burst: int) -> None:
    limits, t_ns, permitted = PeerLimits(Rate(messages_per_s=5, burst=burst)), 0, 0
    for step_ns in steps_ns:
        t_ns += step_ns
        permitted += limits.permits("rig", 10, t_ns=t_ns)
        assert permitted <= burst + 5 * t_ns / 1e9 + 1e-6
    assert permitted >= min(len(steps_ns), burst)


def test_the_senders_are_limited_apart_and_by_their_bytes() -> None:
    limits = PeerLimits(Rate(messages_per_s=1, burst=10))
    assert limits.permits("rig", 20_000 * 10, t_ns=0)
    assert not limits.permits("rig", 10, t_ns=0)
    assert limits.permits("other", 10, t_ns=0)
    assert not limits.permits("rig", 10, t_ns=-5)  # time that goes back gives nothing


@pytest.mark.parametrize("n_bytes", [100, 1_000, 20_000, 520_000])
def test_a_backlog_that_is_handed_over_at_once_is_never_refused(n_bytes: int) -> None:
    mb = 30.0
    limits, n = PeerLimits(backlog_rate(mb)), int(mb * 1e6 / n_bytes)
    assert all(limits.permits("rig", n_bytes, t_ns=0) for _ in range(n))


def test_the_streams_of_one_sender_are_limited_and_known_ones_go_on() -> None:
    limits = PeerLimits(Rate(1, 1))
    for n in range(MOST_STREAMS):
        limits.require_stream("rig", f"{n}/health", t_ns=0)
    with pytest.raises(MessageError) as refused:
        limits.require_stream("rig", "one more/health", t_ns=0)
    assert refused.value.refusal is Refusal.STREAMS
    limits.require_stream("rig", "0/health", t_ns=0)
    limits.require_stream("another", "one more/health", t_ns=0)


def test_a_table_of_recent_keys_is_bounded() -> None:
    kept: Recent[int, int] = Recent(3)
    for key in (1, 2, 3, 1, 4):
        kept[key] = key
    assert list(kept) == [3, 1, 4]


def test_an_event_counts_by_reason_and_names_a_few_senders() -> None:
    refused, events = RefusedMessages(), list[Event]()
    for n in range(9):
        error = MessageError(reason="no", refusal=Refusal.TOO_MANY if n else Refusal.PARTS)
        refused.add(error, where="here", t_ns=0, sender=f"10.0.0.{n}")
    refused.report(lambda one: not events.append(one), process="recorder", t_ns=0)
    counts = events[0].counts
    assert (counts["messages"], counts["too many"], counts["wrong parts"]) == (9, 8, 1)
    assert counts["from 10.0.0.0"] == 1
    assert counts["from others"] == 4


@pytest.fixture
def messaging() -> Iterator[Messaging]:
    with Messaging() as made:
        yield made


def test_a_control_socket_takes_no_large_message_and_goes_on(
    messaging: Messaging, tmp_path: Path
) -> None:
    address = f"ipc://{tmp_path}/c"
    server = messaging.router(address)
    health = pack(Stamped("bridge", 0, 0, "host", Health("running", "")))
    with zmq.Context() as context, context.socket(zmq.DEALER) as large:
        large.connect(address)
        large.send(bytes(CONTROL_BYTES + 1))
        with context.socket(zmq.DEALER) as small:
            small.set(zmq.IDENTITY, b"bridge")
            small.connect(address)
            small.send(health)
            [(sender, parts)] = received_parts(server, 60.0)
            small.close(linger=0)
        large.close(linger=0)
    assert parts == [b"bridge", health]
    assert sender.startswith("process ")


def test_connections_that_do_not_speak_are_closed(messaging: Messaging) -> None:
    server = messaging.bound(zmq.PULL, "tcp://127.0.0.1:*", queue=10)
    assert 0 < server.get(zmq.HANDSHAKE_IVL) <= 10_000
    assert server.get(zmq.BACKLOG) >= 1000


def test_more_files_may_be_open_after_the_first_socket_was_made() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        with Messaging():
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(65_536, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_system_without_the_limit_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert permit_many_files() is None


def test_the_longest_name_of_a_file_is_a_name_of_a_clip() -> None:
    clip = "shown_back/" + "x" * 255
    frame = DisplayedFrame(clip, 0, np.zeros((2, 2), np.uint8), 0, 1)
    body = unpack(pack(Stamped("stimulus", 0, 0, "host", frame))).body
    assert isinstance(body, DisplayedFrame)
    assert body.clip == clip
