"""Wire format of messages: one MessagePack map `{v, kind, source, seq, t_ns, clock, ...fields}`.

Duties: pack a message to bytes, and read bytes back into a message after checking version, kind,
types, and dtype, rank, size and finiteness of each array before the array is made. The fields of
each kind come from `rtdecode.schema.messages`. There is no pickle and there are no JSON arrays.
This module must not import sockets, clocks or files.

Version 2 is written. Versions 1 and 2 are read: messages of version 1, from older logs and from
rig programs, are renamed to version 2 here (`_RENAMED_KINDS`, `_RENAMED_FIELDS`) and nowhere else.
Fields that a later release adds to a kind have defaults and extend version 2 without a new
number: unknown fields are ignored, and missing optional fields take their defaults.

>>> from rtdecode.schema.messages import Command
>>> stop = Stamped("supervisor", 3, 1_000, "host", Command("decoder", "stop", ""))
>>> data = pack(stop)
>>> data.startswith(topic("command")), unpack(data).body.name
(True, 'stop')
"""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
from numpy.typing import NDArray

from rtdecode.runtime.limits import (
    MAX_ENTRIES,
    MAX_ITEMS,
    MAX_MESSAGE_BYTES,
    brief,
    require_few_values,
    shortened,
    text_limit,
)
from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.errors import MessageError, Refusal
from rtdecode.schema.messages import BODIES, Stamped

WIRE_VERSION = 2
READ_VERSIONS = (1, WIRE_VERSION)
_LARGEST_INT = 2**63 - 1
_ENVELOPE = {"v": int, "kind": str, "source": str, "seq": int, "t_ns": int, "clock": str}
_BY_KIND: Mapping[str, type[Any]] = types.MappingProxyType({body.kind: body for body in BODIES})

_LATER_FIELDS = 4
"""Subscribers accept up to this many fields that a later release adds to a kind."""

_RENAMED_KINDS: Mapping[str, str] = types.MappingProxyType({"shown_frame": "displayed_frame"})
"""Kinds of version 1 that have another name in version 2."""
_RENAMED_FIELDS: Mapping[str, Mapping[str, str]] = types.MappingProxyType(
    {
        "fluorescence": {"f_counts": "f_raw", "neuropil_counts": "f_neuropil"},
        "responses": {"t_frame_ns": "t_frame_start_ns"},
        "reconstruction": {"t_frame_ns": "t_frame_mid_ns"},
        "gap": {"seen_by": "detected_by"},
        "clock_probe": {
            "t_asked_ns": "t_request_ns",
            "t_heard_ns": "t_request_received_ns",
            "t_answered_ns": "t_reply_ns",
            "t_returned_ns": "t_reply_received_ns",
        },
    }
)
"""Fields of version 1 that have another name in version 2, by kind."""

Reader = Callable[[str, Any], Any]


def pack(message: Stamped) -> bytes:
    """Bytes of one message; raises MessageError where a field does not have its declared type."""
    body = message.body
    wire: dict[str, Any] = {
        "v": WIRE_VERSION,
        "kind": body.kind,
        "source": message.source,
        "seq": message.seq,
        "t_ns": message.t_ns,
        "clock": message.clock,
    }
    for name, (spec, _) in _field_plan(body.kind).items():
        value = getattr(body, name)
        if isinstance(value, str):
            value = shortened(name, value)
        wire[name] = value if spec is None else _array_map(name, value, spec)
    packed: bytes = msgpack.packb(wire, use_bin_type=True)
    return packed


def unpack(data: bytes | memoryview) -> Stamped:
    """Read one message of version 1 or 2.

    Raises
    ------
    MessageError
        For anything that is not a valid message; its sentence states the reason.
    """
    wire = _raw_map(data)
    for name, kind in _ENVELOPE.items():
        _checked(name, wire.get(name), kind)
    if wire["v"] not in READ_VERSIONS:
        raise MessageError(
            reason=f"version {wire['v']} was got, versions 1 and {WIRE_VERSION} can be read: "
            f"install the release of rtdecode that the sender uses"
        )
    if wire["v"] != WIRE_VERSION:
        wire = _from_version_1(wire)
    body = _BY_KIND.get(wire["kind"])
    if body is None:
        kinds = ", ".join(_BY_KIND)
        raise MessageError(reason=f"unknown kind '{wire['kind']:.40}'; known: {kinds}")
    plan = _field_plan(body.kind)
    if missing := plan.keys() - wire.keys() - optional_fields(body.kind):
        raise MessageError(reason=f"{body.kind}: fields missing: {', '.join(sorted(missing))}")
    values = {name: read(name, wire[name]) for name, (_, read) in plan.items() if name in wire}
    return Stamped(wire["source"], wire["seq"], wire["t_ns"], wire["clock"], body(**values))


def current_stream(stream: str) -> str:
    """Name in version 2 of a stream of version 1 or 2, for example `stimulus/displayed_frame`."""
    source, slash, kind = stream.partition("/")
    return f"{source}{slash}{_RENAMED_KINDS.get(kind, kind)}"


def _from_version_1(wire: dict[str, Any]) -> dict[str, Any]:
    """The map of a version-1 message with the kind and field names of version 2."""
    kind = _RENAMED_KINDS.get(wire["kind"], wire["kind"])
    names = _RENAMED_FIELDS.get(kind, {})
    renamed = {names.get(name, name): value for name, value in wire.items()} | {"kind": kind}
    # streams and kinds are also named by values, whose types are checked later
    if kind == "gap" and isinstance(renamed.get("stream"), str):
        renamed["stream"] = current_stream(renamed["stream"])
    if kind == "end" and isinstance(renamed.get("last_seq"), dict):
        last_seq = renamed["last_seq"].items()
        renamed["last_seq"] = {_RENAMED_KINDS.get(name, name): seq for name, seq in last_seq}
    return renamed


@cache
def topic(kind: str) -> bytes:
    """First bytes of every message of this kind that this release sends."""
    return _head(kind, len(fields(_BY_KIND[kind])))


@cache
def topics(kind: str) -> tuple[bytes, ...]:
    """Prefixes to which a subscriber to `kind` subscribes.

    The prefix of a message holds its number of fields, so there is one for each number that a
    sender of version 2 may use: from the required fields up to some that a later release adds.
    """
    n_fields = len(fields(_BY_KIND[kind]))
    permitted = range(n_fields - len(optional_fields(kind)), n_fields + _LATER_FIELDS + 1)
    return tuple(_head(kind, n) for n in permitted)


def starts_as(kind: str, data: bytes) -> bool:
    """Whether `data` starts as a message of `kind` in the version that this release writes."""
    return kind in _BY_KIND and data.startswith(topics(kind))


def _head(kind: str, n_fields: int) -> bytes:
    packer = msgpack.Packer(use_bin_type=True)
    head: bytes = packer.pack_map_header(len(_ENVELOPE) + n_fields)
    for item in ("v", WIRE_VERSION, "kind", kind):
        head += packer.pack(item)
    return head


def _raw_map(data: bytes | memoryview) -> dict[str, Any]:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageError(
            reason=f"{len(data)} bytes are more than the permitted {MAX_MESSAGE_BYTES}",
            refusal=Refusal.TOO_LARGE,
        )
    require_few_values(data)
    try:
        wire = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_map_len=MAX_ENTRIES,
            max_array_len=MAX_ITEMS,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise MessageError(reason=f"not one MessagePack map ({error})") from error
    if not isinstance(wire, dict):
        raise MessageError(reason=f"a map was expected, got {type(wire).__name__}")
    return wire


@cache
def _field_plan(kind: str) -> dict[str, tuple[ArraySpec | None, Reader]]:
    body = _BY_KIND[kind]
    hints = get_type_hints(body, include_extras=True)
    return {field.name: _reader(hints[field.name]) for field in fields(body)}


@cache
def optional_fields(kind: str) -> frozenset[str]:
    """Fields of `kind` with a default, which senders of an earlier release leave out."""
    without = (MISSING, MISSING)
    return frozenset(
        field.name
        for field in fields(_BY_KIND[kind])
        if (field.default, field.default_factory) != without
    )


def _reader(hint: Any) -> tuple[ArraySpec | None, Reader]:
    if get_origin(hint) is Annotated:
        spec: ArraySpec = get_args(hint)[1]
        return spec, lambda name, value: _array(name, value, spec)
    if get_origin(hint) is dict:
        item = get_args(hint)[1]
        return None, lambda name, value: _checked_map(name, value, item)
    return None, lambda name, value: _checked(name, value, hint)


def _checked(name: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise MessageError(reason=f"{name} must be {kind.__name__}, got {brief(value)}")
    if isinstance(value, int) and value > _LARGEST_INT:
        raise MessageError(reason=f"{name} must fit into 64 bits with a sign, got {value}")
    if isinstance(value, str) and len(value) > (most := text_limit(name)):
        reason = f"{name} has {len(value):,} characters, more than the permitted {most:,}"
        raise MessageError(reason=reason, refusal=Refusal.TOO_LARGE)
    return value


def _checked_map(name: str, value: Any, item: type) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MessageError(reason=f"{name} must be a map, got {brief(value)}")
    return {
        _checked(f"{name} key", k, str): _checked(f"{name} value", v, item)
        for k, v in value.items()
    }


def _array_map(name: str, array: NDArray[Any], spec: ArraySpec) -> dict[str, Any]:
    if array.dtype.name not in spec.dtypes or array.ndim != spec.rank:
        raise MessageError(
            reason=f"{name} must be {' or '.join(spec.dtypes)} of rank {spec.rank}, "
            f"got {array.dtype.name} of shape {array.shape}"
        )
    if spec.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise MessageError(reason=f"{name} contains NaN or infinity; send only what was measured")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.name,
        "shape": array.shape,
        "data": little.data.cast("B") if array.size else b"",
    }


def _array(name: str, wire: Any, spec: ArraySpec) -> NDArray[Any]:
    if not isinstance(wire, dict) or wire.keys() != {"dtype", "shape", "data"}:
        raise MessageError(reason=f"{name} must be an array map of dtype, shape and data")
    dtype, shape, data = wire["dtype"], wire["shape"], wire["data"]
    if dtype not in spec.dtypes:
        raise MessageError(reason=f"{name} must be {' or '.join(spec.dtypes)}, got {brief(dtype)}")
    if (
        not isinstance(shape, list)
        or len(shape) != spec.rank
        or any(type(n) is not int or not 0 <= n <= spec.max_side for n in shape)
    ):
        reason = (
            f"{name} must have {spec.rank} sides of at most {spec.max_side}, got {brief(shape)}"
        )
        raise MessageError(reason=reason)
    items = math.prod(shape)
    kind = np.dtype(dtype).newbyteorder("<")
    if items > spec.max_items or not isinstance(data, bytes) or len(data) != items * kind.itemsize:
        raise MessageError(reason=f"{name}: shape {shape} does not fit its data or its limit")
    array = np.frombuffer(data, kind).reshape(shape)
    if spec.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise MessageError(reason=f"{name} contains NaN or infinity")
    return array
