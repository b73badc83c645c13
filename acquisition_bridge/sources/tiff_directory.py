"""Parsing of TIFF pages in files that may still be growing, classic or BigTIFF; for `growing_tiff`.

Pages as microscopes write them are supported: one uncompressed 16-bit grey image per page (TIFF 6.0
and the BigTIFF extension). Parts that are not yet in the file give None, not an error.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from acquisition_bridge.sources.contract import Pixels, as_counts
from rtdecode.schema.errors import StreamError

ReadAt = Callable[[int, int], bytes]
"""Reads (offset, size) bytes; fewer at the end of the file."""

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    16: 8,
    17: 8,
    18: 8,
}
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q", 18: "Q"}
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _DESCRIPTION = 256, 257, 258, 259, 270
_OFFSETS, _SAMPLES, _BYTE_COUNTS, _SOFTWARE, _FORMAT = 273, 277, 279, 305, 339
_WANTED = (
    *(_WIDTH, _LENGTH, _BITS, _COMPRESSION, _DESCRIPTION),
    *(_OFFSETS, _SAMPLES, _BYTE_COUNTS, _SOFTWARE, _FORMAT),
)
_MOST_TAGS, _MOST_TAG_BYTES, _MOST_PIXELS = 4096, 1 << 24, 4096 * 4096
_UNSIGNED, _SIGNED = 1, 2
_DEPTH = 16


@dataclass(frozen=True, slots=True)
class TiffFormat:
    """Byte order and pointer width of a file, and the offset of its first page."""

    order: str
    big: bool
    first_page: int

    @property
    def pointer(self) -> struct.Struct:
        """Format of an offset."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page: its pixels and texts, and the offset of the next page (0: none yet)."""

    pixels: Pixels
    description: str
    software: str
    next_page: int
    next_pointer: int
    """Offset at which `next_page` is stored; a writer updates it when it appends a page."""


def tiff_format(read_at: ReadAt) -> TiffFormat | None:
    """The file's header; None while it is incomplete, StreamError if the file is no TIFF."""
    head = read_at(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if len(head) < 4:  # noqa: PLR2004 - mark and version
        return None
    (version,) = struct.unpack((order or "<") + "H", head[2:4])
    if order is None or version not in (42, 43):
        raise _error(f"the file begins with {head[:4]!r}, which is no TIFF")
    big = version == 43  # noqa: PLR2004 - BigTIFF's version
    form = TiffFormat(order, big, 0)
    place = 8 if big else 4
    if len(head) < place + form.pointer.size:
        return None
    return TiffFormat(order, big, int(form.pointer.unpack_from(head, place)[0]))


def tiff_page(read_at: ReadAt, form: TiffFormat, offset: int) -> TiffPage | None:
    """The page at `offset`; None while a part of it is missing in the file.

    Raises
    ------
    StreamError
        If the page is complete but has an unsupported format.
    """
    found = _tags(read_at, form, offset)
    if found is None:
        return None
    tags, pointer_at = found
    raw = read_at(pointer_at, form.pointer.size)
    if len(raw) < form.pointer.size:
        return None
    pixels = _pixels(read_at, form, tags)
    if pixels is None:
        return None
    texts = [_text(tags.get(tag, (2, b""))[1]) for tag in (_DESCRIPTION, _SOFTWARE)]
    return TiffPage(pixels, texts[0], texts[1], int(form.pointer.unpack(raw)[0]), pointer_at)


_Tags = dict[int, tuple[int, bytes]]


def _tags(read_at: ReadAt, form: TiffFormat, offset: int) -> tuple[_Tags, int] | None:
    """(type, bytes) of the required tags, and the offset of the pointer to the next page."""
    counter = struct.Struct(form.order + ("Q" if form.big else "H"))
    entry = struct.Struct(form.order + ("HHQ8s" if form.big else "HHI4s"))
    raw = read_at(offset, counter.size)
    if len(raw) < counter.size:
        return None
    (count,) = counter.unpack(raw)
    if not 0 < count <= _MOST_TAGS:
        raise _error(f"a page with {count} tags at {offset}")
    table = read_at(offset + counter.size, count * entry.size)
    if len(table) < count * entry.size:
        return None
    tags: _Tags = {}
    for tag, kind, items, inline in entry.iter_unpack(table):
        if tag not in _WANTED:
            continue
        value = _value(read_at, form, kind=kind, items=items, inline=inline)
        if value is None:
            return None
        tags[tag] = (kind, value)
    return tags, offset + counter.size + len(table)


def _value(
    read_at: ReadAt, form: TiffFormat, *, kind: int, items: int, inline: bytes
) -> bytes | None:
    size = _SIZES.get(kind, 0) * items
    if not 0 < size <= _MOST_TAG_BYTES:
        raise _error(f"a tag of type {kind} with {items} values")
    if size <= len(inline):
        return inline[:size]
    value = read_at(int(form.pointer.unpack(inline)[0]), size)
    return value if len(value) == size else None


def _numbers(form: TiffFormat, tags: _Tags, tag: int, *, default: int | None = None) -> list[int]:
    if tag not in tags:
        if default is None:
            raise _error(f"a page without tag {tag}")
        return [default]
    kind, value = tags[tag]
    if kind not in _WHOLE:
        raise _error(f"tag {tag} of type {kind}")
    items = len(value) // _SIZES[kind]
    return list(struct.unpack(f"{form.order}{items}{_WHOLE[kind]}", value))


def _pixels(read_at: ReadAt, form: TiffFormat, tags: _Tags) -> Pixels | None:
    rows, cols = (_numbers(form, tags, tag)[0] for tag in (_LENGTH, _WIDTH))
    bits, packed, samples, sign = (
        _numbers(form, tags, tag, default=1)[0] for tag in (_BITS, _COMPRESSION, _SAMPLES, _FORMAT)
    )
    if packed != 1:
        raise _error(f"compression {packed}: set the microscope to write without compression")
    if bits != _DEPTH or samples != 1 or sign not in (_UNSIGNED, _SIGNED):
        raise _error(f"{samples} samples of {bits} bits (format {sign}), not 16-bit counts")
    if not 0 < rows * cols <= _MOST_PIXELS:
        raise _error(f"pages of {rows} x {cols} pixels")
    starts, sizes = (_numbers(form, tags, tag) for tag in (_OFFSETS, _BYTE_COUNTS))
    if len(starts) != len(sizes) or sum(sizes) != 2 * rows * cols:
        raise _error(f"{sum(sizes)} bytes in strips for {rows} x {cols} pixels")
    data = b"".join(read_at(start, size) for start, size in zip(starts, sizes, strict=True))
    if len(data) < 2 * rows * cols:
        return None
    kind = form.order + ("i2" if sign == _SIGNED else "u2")
    return as_counts(np.frombuffer(data, kind).reshape(rows, cols))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _error(reason: str) -> StreamError:
    return StreamError(stream="tiff_tail", reason=reason)
