"""Valid messages of every kind, and seeded mutations of them: of their structure and their bytes.

mutator = Mutator(seed=0)
data = mutator.message()      # bytes that a reader may accept or must refuse
parts = mutator.parts()       # the same as ZeroMQ parts, sometimes none or several
"""

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np

from rtdecode.runtime.codec import pack
from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.messages import BODIES, Body, Stamped

INTEGERS = (0, 1, -1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**62), -(2**63))
FLOATS = (0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
TEXTS = ("", "\0", "\x1b[2J", "a/b", "é" * 300, "x" * 1_001, "y" * 20_001, "bridge", "[bold]")
SOURCES = ("bridge", "stimulus", "decoder", "emit", "evaluate", "supervisor", "fuzz")
LONG_HEADS = (
    b"\xdf\xff\xff\xff\xff",
    b"\xdd\x00\x00\x27\x10",
    b"\xc6\x7f\xff\xff\xff",
    b"\xdb\xff",
)
_CUT = 400
"""Bytes of a message of which a mutation changes one, so that heads are hit as often as pixels."""

Wire = dict[str, Any]


class Mutator:
    """Makes mutated messages; the same seed gives the same ones.

    Parameters
    ----------
    kinds
        Kinds of the valid messages from which they are made.
    shape
        Rows and columns of pictures.
    now_ns
        Times lie around it.
    """

    def __init__(
        self,
        seed: int,
        *,
        kinds: Sequence[type[Body]] = BODIES,
        shape: tuple[int, int] = (6, 8),
        now_ns: int = 10**12,
    ) -> None:
        self.rng = random.Random(seed)
        self._kinds, self._shape, self._now_ns = kinds, shape, now_ns
        self._of_structure: tuple[Callable[[Wire], None], ...] = (
            self._change_value,
            self._change_value,
            self._change_type,
            self._remove,
            self._add,
            self._change_array,
            self._change_envelope,
        )
        self._of_bytes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._truncate,
            self._splice,
            self._insert,
            self._repeat,
        )

    def valid(self) -> bytes:
        """A valid message of some kind."""
        kind = self.rng.choice(self._kinds)
        values = {name: self._value(name, hint) for name, hint in _hints(kind)}
        source, seq = self.rng.choice(SOURCES), self.rng.randrange(1_000)
        return pack(Stamped(source, seq, self._now_ns, "host", kind(**values)))

    def message(self) -> bytes:
        """A message after one to three mutations."""
        data = self.valid()
        if self.rng.random() < 0.6:
            wire = msgpack.unpackb(data, strict_map_key=False)
            for _ in range(self.rng.randint(1, 3)):
                self.rng.choice(self._of_structure)(wire)
            data = msgpack.packb(wire, use_bin_type=True)
        if self.rng.random() < 0.5:
            changed = bytearray(data)
            self.rng.choice(self._of_bytes)(changed)
            data = bytes(changed)
        return data

    def parts(self) -> list[bytes]:
        """A message in ZeroMQ parts: mostly one."""
        data, dice = self.message(), self.rng.random()
        if dice < 0.9:
            return [data]
        return self.rng.choice([[b""], [b"", data], [data, data], [data, b""], [b"\0"] * 500])

    def changed(self, data: bytes) -> bytes:
        """`data`, such as a file, after one to four mutations of its bytes anywhere."""
        changed = bytearray(data)
        for _ in range(self.rng.randint(1, 4)):
            at = self.rng.randrange(len(changed) + 1)
            tail = changed[at:]
            self.rng.choice(self._of_bytes)(tail)
            changed[at:] = tail
        return bytes(changed)

    def _value(self, name: str, hint: Any) -> Any:
        if get_origin(hint) is Annotated:
            return self._array(get_args(hint)[1])
        if get_origin(hint) is dict:
            return {"one": get_args(hint)[1](1), "two": get_args(hint)[1](2)}
        if hint is int and name.startswith("t_"):
            return self._now_ns + self.rng.randrange(-(10**9), 10**6)
        return {int: self.rng.randrange(50), float: self.rng.random(), bool: True, str: "text"}[
            hint
        ]

    def _array(self, spec: ArraySpec) -> Any:
        rows, cols = self._shape
        shape = {1: (min(9, spec.max_items),), 2: (rows, cols), 3: (1, rows, cols)}[spec.rank]
        dtype = self.rng.choice(spec.dtypes)
        values = np.full(shape, self.rng.randrange(200), "f4")
        return (values > 0) if dtype == "bool" else values.astype(dtype)

    def _key(self, wire: Wire) -> str:
        return self.rng.choice([key for key in wire if isinstance(key, str)] or ["v"])

    def _odd(self) -> Any:
        nested: Any = 0
        for _ in range(self.rng.choice((1, 5, 600))):
            nested = [nested]
        return self.rng.choice(
            [
                self.rng.choice(INTEGERS[:-1]),
                self.rng.choice(FLOATS),
                self.rng.choice(TEXTS),
                None,
                True,
                [],
                {},
                b"bytes",
                nested if self.rng.random() < 0.2 else [nested],
                {f"name {n}": n for n in range(self.rng.choice((3, 999, 1_001)))},
                msgpack.ExtType(5, b"extension"),
                msgpack.Timestamp(1, 2),
            ]
        )

    def _change_value(self, wire: Wire) -> None:
        """Another value of the same type: extreme numbers, odd texts."""
        key = self._key(wire)
        value = wire.get(key)
        if isinstance(value, bool):
            wire[key] = not value
        elif isinstance(value, int):
            wire[key] = self.rng.choice(INTEGERS)
        elif isinstance(value, float):
            wire[key] = self.rng.choice(FLOATS)
        elif isinstance(value, str):
            wire[key] = self.rng.choice(TEXTS)
        elif isinstance(value, dict) and "data" not in value:
            name = self.rng.choice(("one", "next_command", *TEXTS))
            wire[key] = {name: self.rng.choice((*INTEGERS, *FLOATS))}

    def _change_type(self, wire: Wire) -> None:
        wire[self._key(wire)] = self._odd()

    def _remove(self, wire: Wire) -> None:
        wire.pop(self._key(wire), None)

    def _add(self, wire: Wire) -> None:
        wire[self.rng.choice((*TEXTS, "later", "data"))] = self._odd()

    def _change_array(self, wire: Wire) -> None:
        arrays = [v for v in wire.values() if isinstance(v, dict) and "data" in v]
        if not arrays:
            return
        array = self.rng.choice(arrays)
        what = self.rng.randrange(4)
        if what == 0:
            array["dtype"] = self.rng.choice(("float64", "uint16", "object", "<f4", "bool", 7))
        elif what == 1:
            array["shape"] = self.rng.choice(
                ([], [0], [0, 0], [2**63, 0], [-1, 5], [1, 1, 1], [3, 2**40], "ab", [True, 2])
            )
        elif what == 2:
            array["data"] = array["data"][: self.rng.randrange(len(array["data"]) + 1)]
        else:
            raw = bytearray(array["data"])
            raw[:4] = self.rng.choice(
                (b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\xff\xff")
            )
            array["data"] = bytes(raw[: len(array["data"])])

    def _change_envelope(self, wire: Wire) -> None:
        key = self.rng.choice(("v", "kind", "source", "seq", "t_ns", "clock"))
        odd: dict[str, Sequence[Any]] = {
            "v": (0, 1, 3, "2", None),
            "kind": ("shown_frame", "scan", "event", "", "start"),
            "source": (*TEXTS, f"source {self.rng.randrange(10**6)}"),
            "seq": (*INTEGERS, 10**9 + 2),
            "t_ns": INTEGERS,
            "clock": ("host", "rig", ""),
        }
        wire[key] = self.rng.choice(odd[key])

    def _at(self, data: bytearray) -> int:
        return self.rng.randrange(max(1, min(len(data), _CUT)))

    def _flip(self, data: bytearray) -> None:
        for _ in range(self.rng.randint(1, 4)):
            if data:
                data[self._at(data)] ^= 1 << self.rng.randrange(8)

    def _truncate(self, data: bytearray) -> None:
        del data[self.rng.randrange(len(data) + 1) :]

    def _splice(self, data: bytearray) -> None:
        other = self.valid()
        data[self._at(data) :] = other[self.rng.randrange(len(other)) :]

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self.rng.choice((*LONG_HEADS, self.rng.randbytes(5), b"\xc1", b"\xff\xfe"))

    def _repeat(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = data[at : at + 40]


@cache
def _hints(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((field.name, hints[field.name]) for field in dataclasses.fields(kind))


def batches(mutator: Mutator, n: int, *, size: int = 50) -> Iterator[list[list[bytes]]]:
    """`n` mutated messages in parts, in batches."""
    for first in range(0, n, size):
        yield [mutator.parts() for _ in range(min(size, n - first))]
