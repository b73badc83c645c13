"""A finished T-series of PrairieView: single-page OME-TIFFs and the xml that lists them.

For `raw_movie` and `tiff_tail`. The xml gives each frame its time, cycle, index and files. A frame
whose file is missing is a gap: the number of the next scan jumps. Tested with files of PrairieView
5.6 (two planes, one channel).
"""

import logging
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from acquisition_bridge.sources.contract import COUNT_TYPES, Pixels, as_counts
from acquisition_bridge.sources.movie_files import Movie, ScanPlace
from acquisition_bridge.sources.tiff_file import DAMAGED, MOST_PIXELS
from rtdecode.schema.errors import (
    MissingFileError,
    ScanRateError,
    SettingMissingError,
    UnreadableFileError,
)

log = logging.getLogger(__name__)
_FRAME_FILE = re.compile(r"(.+)_Cycle\d+_Ch(\d+)_\d+(?:\.ome)?\.tiff?", re.IGNORECASE)
_HEAD_BYTES = 4096
_MOST_BYTES = 1 << 28
_MOST_PLANES = 1 << 16
_EXPECTED = "PrairieView's xml of a T-series, with its OME-TIFF files beside it"
_RATE_TOLERANCE = 0.05
_SIDES = 2


@dataclass(frozen=True, slots=True)
class PrairieFrame:
    """One frame: its scan number and plane, start in s, and (file name, page) by channel."""

    number: int
    plane: int
    start_s: float
    files: dict[int, tuple[str, int]]


def prairie_xml(path: Path) -> Path | None:
    """The xml of the T-series that `path` names: its folder, its xml, or one of its image files.

    None if `path` belongs to no T-series.

    Raises
    ------
    MissingFileError
        If it is an image file of PrairieView without its xml.
    """
    if path.is_dir():
        found = [file for file in sorted(path.glob("*.xml")) if _is_series(file)]
        named = [file for file in found if file.stem == path.name]
        return next(iter(named or found), None)
    if path.suffix.lower() == ".xml":
        return path if _is_series(path) else None
    named_file = _FRAME_FILE.fullmatch(path.name)
    if named_file is None or not path.is_file():
        return None
    xml = path.with_name(f"{named_file[1]}.xml")
    if not xml.is_file():
        raise MissingFileError(
            what="PrairieView's xml",
            path=xml,
            remedy="it lists the files of the T-series: copy it beside them",
        )
    return xml


def channel_of(path: Path) -> int | None:
    """Channel in the name of an image file of PrairieView."""
    found = _FRAME_FILE.fullmatch(path.name)
    return None if found is None else int(found[2])


def _is_series(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"<PVScan" in file.read(_HEAD_BYTES)


class PrairieSeries(Movie):
    """Scans of one channel of a T-series, in the order of the xml.

    Parameters
    ----------
    channel
        PrairieView's number of the channel; None: the lowest one.

    Raises
    ------
    UnreadableFileError, SettingMissingError
        If the xml is no list of frames, none of its files exists, or the channel was not saved.
    """

    def __init__(self, xml: Path, *, channel: int | None) -> None:
        self._xml = xml
        frames, self.planes = self._frames()
        self._channel = self._wanted(frames, channel)
        present = set(os.listdir(xml.parent))
        self._kept = [frame for frame in frames if self._file(frame)[0] in present]
        if len(self._kept) < len(frames):
            missing = len(frames) - len(self._kept)
            log.warning("%d of %d frames of %s have no file", missing, len(frames), xml)
        if not self._kept:
            raise self._refusal(
                "none of the files that it lists; RAWDATA files must be converted by PrairieView "
                "(Image-Block Ripping Utility) first"
            )
        starts = np.array([frame.start_s for frame in frames])
        steps = np.diff(starts) / np.diff([frame.number for frame in frames])
        self.scan_rate_hz = float(1 / np.median(steps)) if len(steps) else None
        first = self._page(self._kept[0])
        self.shape = (len(self._kept), *first.shape)
        self.dtype = first.dtype.name

    def check_rate(self, configured_hz: float) -> None:
        """Raise ScanRateError if the configured scan rate differs by more than 5 %."""
        rate_hz = self.scan_rate_hz
        if rate_hz is not None and abs(configured_hz / rate_hz - 1) > _RATE_TOLERANCE:
            raise ScanRateError(
                path=self._xml,
                what="the PrairieView series",
                stated_hz=rate_hz,
                configured_hz=configured_hz,
            )

    def place(self, scan: int) -> ScanPlace:
        """Number, plane, and start in s since the first scan."""
        frame, first = self._kept[scan], self._kept[0]
        return ScanPlace(frame.number - first.number, frame.plane, frame.start_s - first.start_s)

    def scan(self, number: int) -> Pixels:
        """(row, col) counts of scan `number`; UnreadableFileError if they cannot be read."""
        pixels = self._page(self._kept[number])
        if pixels.shape != self.shape[1:] or pixels.dtype.name != self.dtype:
            file, _ = self._file(self._kept[number])
            raise self._refusal(f"{file} of shape {pixels.shape} and type {pixels.dtype}")
        return pixels

    def close(self) -> None:
        """Nothing stays open."""

    def _file(self, frame: PrairieFrame) -> tuple[str, int]:
        return frame.files.get(self._channel, ("", 0))

    def _page(self, frame: PrairieFrame) -> Pixels:
        name, page = self._file(frame)
        try:
            with tifffile.TiffFile(self._xml.with_name(name)) as file:
                found = file.pages[page]
                if math.prod(found.shape) > MOST_PIXELS:
                    raise ValueError(f"shape {found.shape}")
                pixels = found.asarray()
        except DAMAGED as error:
            raise self._refusal(f"{name}, which cannot be read ({error!r:.200})") from error
        if pixels.ndim != _SIDES or pixels.dtype.name not in COUNT_TYPES:
            raise self._refusal(f"{name} of shape {pixels.shape} and type {pixels.dtype}")
        return as_counts(pixels)

    def _wanted(self, frames: list[PrairieFrame], channel: int | None) -> int:
        saved = sorted({number for frame in frames for number in frame.files})
        if not saved:
            raise self._refusal("no frame with a file")
        if channel is not None and channel not in saved:
            raise SettingMissingError(
                setting=f"acquisition.source.channel to one of {saved}",
                reason=f"channel {channel} was not saved",
            )
        return saved[0] if channel is None else channel

    def _frames(self) -> tuple[list[PrairieFrame], int]:
        """Frames of all cycles in order, and the number of planes."""
        try:
            if self._xml.stat().st_size > _MOST_BYTES:
                raise ValueError("a file that is too large")
            sequences = list(_sequences(self._xml.read_bytes()))
            return _numbered(sequences)
        except (ValueError, LookupError, ElementTree.ParseError) as error:
            raise self._refusal(str(error)) from error

    def _refusal(self, got: str) -> UnreadableFileError:
        return UnreadableFileError(
            what="the PrairieView series", path=self._xml, expected=_EXPECTED, got=got
        )


_Entry = tuple[int, float, dict[int, tuple[str, int]]]
"""Index of a frame in its cycle (from 1), its start in s, and its files."""


def _sequences(content: bytes) -> Iterator[tuple[bool, list[_Entry]]]:
    """For each cycle: True for a Z series, and its frames. Raises ValueError or ParseError."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("a file that declares entities")
    frames: list[_Entry] = []
    for _, element in ElementTree.iterparse(BytesIO(content)):  # noqa: S314 - no entities
        if element.tag == "Frame":
            frames.append(_entry(element))
            element.clear()
        if element.tag == "Sequence":
            stack = "ZSeries" in element.get("type", "")
            if stack and element.get("bidirectionalZ") == "True":
                raise ValueError("a bidirectional Z series, whose order of planes is not supported")
            yield stack, frames
            frames = []
            element.clear()


def _entry(frame: ElementTree.Element) -> _Entry:
    index = int(frame.get("index", "nan"))
    start_s = float(frame.get("absoluteTime") or frame.get("relativeTime") or "nan")
    if index < 1 or not math.isfinite(start_s):
        raise ValueError(f"a frame with index {index} at {start_s} s")
    files = {
        int(file.get("channel", "1")): (
            Path(file.get("filename", "")).name,
            max(0, int(file.get("page", "1")) - 1),
        )
        for file in frame.iter("File")
    }
    return index, start_s, files


def _numbered(sequences: list[tuple[bool, list[_Entry]]]) -> tuple[list[PrairieFrame], int]:
    """Frames with scan numbers: a jump of the index within a cycle is a gap."""
    stacks = [frames for stack, frames in sequences if stack and frames]
    planes = max((frame[0] for frames in stacks for frame in frames), default=1)
    if stacks and len(stacks) < len([frames for _, frames in sequences if frames]):
        raise ValueError("cycles with and without a Z series")
    if planes > _MOST_PLANES:
        raise ValueError(f"{planes} planes")
    numbered, base = [], 0
    for stack, frames in sequences:
        numbered += [
            PrairieFrame(base + index - 1, (index - 1) % planes if stack else 0, start_s, files)
            for index, start_s, files in frames
        ]
        base += planes if stack else max((index for index, _, _ in frames), default=0)
    pairs = pairwise(numbered)
    if not all(a.number < b.number and a.start_s < b.start_s for a, b in pairs):
        raise ValueError("frames that do not follow one another in index and time")
    return numbered, planes
