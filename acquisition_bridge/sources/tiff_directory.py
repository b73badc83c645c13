"""Parsing of TIFF pages in files that may still be growing, classic or BigTIFF; for `growing_tiff`.

Pages as microscopes write them are supported: one 16-bit grey image per page, uncompressed or with
LZW, Deflate, PackBits or Zstandard and the horizontal predictor (TIFF 6.0 and the BigTIFF
extension). Parts that are not yet in the file give None, not an error.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from acquisition_bridge.sources.contract import Pixels, as_counts
from rtdecode.schema.errors import MovieFileError, StreamError

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
_OFFSETS, _SAMPLES, _STRIP_ROWS, _BYTE_COUNTS, _SOFTWARE = 273, 277, 278, 279, 305
_ARTIST, _PREDICTOR, _FORMAT = 315, 317, 339
_WANTED = (
    *(_WIDTH, _LENGTH, _BITS, _COMPRESSION, _DESCRIPTION, _OFFSETS, _SAMPLES, _STRIP_ROWS),
    *(_BYTE_COUNTS, _SOFTWARE, _ARTIST, _PREDICTOR, _FORMAT),
)
_MOST_TAGS, _MOST_TAG_BYTES, _MOST_PIXELS = 4096, 1 << 24, 4096 * 4096
_UNSIGNED, _SIGNED = 1, 2
_DEPTH = 16
_UNCOMPRESSED = 1
_UNPACKERS: dict[int, Callable[..., bytes | bytearray]] = {
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32773: imagecodecs.packbits_decode,
    32946: imagecodecs.zlib_decode,
    50000: imagecodecs.zstd_decode,
}
_HORIZONTAL = 2


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
    artist: str
    data_offset: int
    """Offset of the first strip of pixels."""
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
    described, software, artist = (
        _text(tags.get(tag, (2, b""))[1]) for tag in (_DESCRIPTION, _SOFTWARE, _ARTIST)
    )
    return TiffPage(
        pixels=pixels,
        description=described,
        software=software,
        artist=artist,
        data_offset=_numbers(form, tags, _OFFSETS)[0],
        next_page=int(form.pointer.unpack(raw)[0]),
        next_pointer=pointer_at,
    )


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
    bits, samples, sign = (
        _numbers(form, tags, tag, default=1)[0] for tag in (_BITS, _SAMPLES, _FORMAT)
    )
    if bits != _DEPTH or samples != 1 or sign not in (_UNSIGNED, _SIGNED):
        raise _error(f"{samples} samples of {bits} bits (format {sign}), not 16-bit counts")
    if not 0 < rows * cols <= _MOST_PIXELS:
        raise _error(f"pages of {rows} x {cols} pixels")
    kind = form.order + ("i2" if sign == _SIGNED else "u2")
    packed = _numbers(form, tags, _COMPRESSION, default=_UNCOMPRESSED)[0]
    strips = _strips(read_at, form, tags)
    if packed == _UNCOMPRESSED:
        data = _joined(strips, 2 * rows * cols)
        return None if data is None else as_counts(np.frombuffer(data, kind).reshape(rows, cols))
    pixels = _unpacked_pixels(form, tags, strips, shape=(rows, cols), kind=kind)
    if pixels is None or _numbers(form, tags, _PREDICTOR, default=1)[0] != _HORIZONTAL:
        return pixels
    return np.cumsum(pixels, axis=1, dtype=pixels.dtype)


def _unpacked_pixels(
    form: TiffFormat,
    tags: _Tags,
    strips: list[tuple[int, bytes]],
    *,
    shape: tuple[int, int],
    kind: str,
) -> Pixels | None:
    """Pixels of a compressed page, before its predictor; None while a strip is incomplete."""
    rows, cols = shape
    packed = _numbers(form, tags, _COMPRESSION)[0]
    if packed not in _UNPACKERS:
        raise _error(
            f"compression {packed}: set the microscope to write without compression, or give a "
            f"finished file to kind raw_movie, which reads more kinds"
        )
    height = min(rows, _numbers(form, tags, _STRIP_ROWS, default=rows)[0])
    if height < 1 or len(strips) != -(-rows // height):
        raise _error(f"{len(strips)} strips of {height} rows for {rows} rows")
    if (predictor := _numbers(form, tags, _PREDICTOR, default=1)[0]) not in (1, _HORIZONTAL):
        raise _error(f"predictor {predictor}")
    if any(len(data) < size or not size for size, data in strips):
        return None
    lines = b"".join(
        _unpacked(data, packed, size=2 * cols * min(height, rows - number * height))
        for number, (_, data) in enumerate(strips)
    )
    return as_counts(np.frombuffer(lines, kind).reshape(rows, cols))


def _strips(read_at: ReadAt, form: TiffFormat, tags: _Tags) -> list[tuple[int, bytes]]:
    """(size, bytes) of each strip; fewer bytes than its size where the file ends within it."""
    starts, sizes = (_numbers(form, tags, tag) for tag in (_OFFSETS, _BYTE_COUNTS))
    if len(starts) != len(sizes) or sum(sizes) > 2 * _MOST_PIXELS:
        raise _error(f"{len(starts)} strips of {sum(sizes)} bytes in all")
    return [(size, read_at(at, size)) for at, size in zip(starts, sizes, strict=True)]


def _joined(strips: list[tuple[int, bytes]], size: int) -> bytes | None:
    """Pixels of an uncompressed page; None while a part of them is missing."""
    stored = sum(length for length, _ in strips)
    if stored != size:
        raise _error(f"{stored} bytes in strips for {size} bytes of pixels")
    data = b"".join(part for _, part in strips)
    return data if len(data) == size else None


def _unpacked(data: bytes, compression: int, *, size: int) -> bytes | bytearray:
    try:
        lines = _UNPACKERS[compression](data, out=size)  # `out` limits the memory
    except (RuntimeError, ValueError) as error:
        raise _error(f"a strip that cannot be unpacked ({error})") from error
    if len(lines) != size:
        raise _error(f"a strip of {len(lines)} bytes for {size} bytes of pixels")
    return lines


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raise a StreamError of the block as a MovieFileError that names the file."""
    try:
        yield
    except MovieFileError:
        raise
    except StreamError as error:
        raise MovieFileError(path=path, reason=error.reason) from error


def _error(reason: str) -> StreamError:
    return StreamError(stream="tiff_tail", reason=reason)
