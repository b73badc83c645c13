"""One message is one MessagePack map `{v, kind, source, seq, t_ns, clock, ...fields}` in one part.

Everything is checked at this door: version, kind, the exact set of fields, their types, and dtype,
rank, size and finiteness of each array before it is made. No pickle, no JSON arrays.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.errors import MessageError
from rtdecode.schema.messages import BODIES, Stamped

WIRE_VERSION = 1
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_ENVELOPE = {"v": int, "kind": str, "source": str, "seq": int, "t_ns": int, "clock": str}
_BY_KIND: Mapping[str, type[Any]] = types.MappingProxyType({body.kind: body for body in BODIES})

Reader = Callable[[str, Any], Any]


def pack(message: Stamped) -> bytes:
    """Bytes of one message; raises MessageError where a field is not what its type says."""
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
        wire[name] = value if spec is None else _array_map(name, value, spec)
    packed: bytes = msgpack.packb(wire, use_bin_type=True)
    return packed


def unpack(data: bytes | memoryview) -> Stamped:
    """Read one message from `data`; raises MessageError, naming the reason, for anything else."""
    wire = _raw_map(data)
    for name, kind in _ENVELOPE.items():
        if type(wire.get(name)) is not kind:
            raise MessageError(reason=f"{name} must be {kind.__name__}, got {wire.get(name)!r:.80}")
    if wire["v"] != WIRE_VERSION:
        raise MessageError(reason=f"version {wire['v']} is not {WIRE_VERSION}: update the sender")
    body = _BY_KIND.get(wire["kind"])
    if body is None:
        kinds = ", ".join(_BY_KIND)
        raise MessageError(reason=f"unknown kind '{wire['kind']:.40}'; known: {kinds}")
    plan = _field_plan(body.kind)
    known = plan.keys() | _ENVELOPE.keys()
    if odd := (wire.keys() - known) | (known - wire.keys() - _optional(body.kind)):
        named = ", ".join(sorted(map(str, odd)))
        raise MessageError(reason=f"{body.kind}: fields missing or unknown: {named:.200}")
    values = {name: read(name, wire[name]) for name, (_, read) in plan.items() if name in wire}
    return Stamped(wire["source"], wire["seq"], wire["t_ns"], wire["clock"], body(**values))


@cache
def topic(kind: str) -> bytes:
    """First bytes of every message of this kind: a prefix that a subscriber can filter by."""
    packer = msgpack.Packer(use_bin_type=True)
    head: bytes = packer.pack_map_header(len(_ENVELOPE) + len(fields(_BY_KIND[kind])))
    for item in ("v", WIRE_VERSION, "kind", kind):
        head += packer.pack(item)
    return head


def _raw_map(data: bytes | memoryview) -> dict[str, Any]:
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageError(
            reason=f"{len(data)} bytes are more than the permitted {MAX_MESSAGE_BYTES}"
        )
    try:
        wire = msgpack.unpackb(data, raw=False, strict_map_key=True)
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
def _optional(kind: str) -> frozenset[str]:
    """Fields that may be left out, as older recordings leave out what came later."""
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
        raise MessageError(reason=f"{name} must be {kind.__name__}, got {value!r:.80}")
    return value


def _checked_map(name: str, value: Any, item: type) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MessageError(reason=f"{name} must be a map, got {value!r:.80}")
    return {
        _checked(f"{name} key", k, str): _checked(f"{name}.{k}", v, item) for k, v in value.items()
    }


def _array_map(name: str, array: NDArray[Any], spec: ArraySpec) -> dict[str, Any]:
    if array.dtype.name not in spec.dtypes or array.ndim != spec.rank:
        raise MessageError(
            reason=f"{name} must be {' or '.join(spec.dtypes)} of rank {spec.rank}, "
            f"got {array.dtype.name} of shape {array.shape}"
        )
    if spec.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise MessageError(reason=f"{name} holds NaN or infinity; send only what was measured")
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
        raise MessageError(reason=f"{name} must be {' or '.join(spec.dtypes)}, got {dtype!r:.40}")
    if (
        not isinstance(shape, list)
        or len(shape) != spec.rank
        or any(type(n) is not int or n < 0 for n in shape)
    ):
        raise MessageError(reason=f"{name} must have {spec.rank} sides, got shape {shape!r:.80}")
    items = int(np.prod(shape, dtype=object))
    kind = np.dtype(dtype).newbyteorder("<")
    if items > spec.max_items or not isinstance(data, bytes) or len(data) != items * kind.itemsize:
        raise MessageError(reason=f"{name}: shape {shape!r:.80} does not fit its data or its limit")
    array = np.frombuffer(data, kind).reshape(shape)
    if spec.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise MessageError(reason=f"{name} holds NaN or infinity")
    return array
