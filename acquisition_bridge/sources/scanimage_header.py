"""Metadata in the texts of TIFF pages, for `tiff_tail` and `raw_movie`.

ScanImage 3.8, 4, 5 and 2016 to 2023: rate, channels, planes, fields of a page (mROI), frame and
time of a page, identity of the acquisition. ImageJ and OME: number of images of a movie.
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from acquisition_bridge.sources.contract import Pixels
from acquisition_bridge.sources.intake import VolumeLayout
from rtdecode.schema.errors import MovieFileError, StreamError

_FRAME = re.compile(r"^(?:frameNumbers|Frame Number) = (\d{1,18})", re.MULTILINE)
_STAMP = re.compile(r"^(?:frameTimestamps_sec|Frame Timestamp\(s\)) = ([\d.eE+-]+)", re.MULTILINE)
_BEGUN = re.compile(r"^(?:epoch|state\.internal\.triggerTimeFirstString) ?= ?(.+)$", re.MULTILINE)
_VERSION_4 = re.compile(r"^(scanimage\.SI[45])\.", re.MULTILINE)
_ON = ("true", "1")
_MOST = 1 << 16
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ScanImageHeader:
    """Saved channels in the order of the pages, layout of planes, and the nominal rate."""

    channels: tuple[int, ...]
    volume: VolumeLayout
    frame_rate_hz: float | None
    """Nominal frame rate in Hz; the time stamps of the pages take precedence."""
    field_rows: tuple[int, ...] = ()
    """Rows of each field of view of a page (mROI), from top to bottom; empty: a page is a field."""

    @property
    def planes(self) -> int:
        """Number of planes that are streamed: slices times fields of view."""
        return self.volume.slices * max(1, len(self.field_rows))


class PageStamp(NamedTuple):
    """Frame since the start (from 0), and time in ns since the acquisition began.

    In a slow stack each slice is an acquisition of its own: its time restarts, the frame does not.
    """

    frame: int
    t_ns: int


def scanimage_header(software: str, description: str, artist: str = "") -> ScanImageHeader:
    """Metadata in the texts of the first page; one channel and one plane for other TIFFs.

    Raises
    ------
    StreamError
        If a value is no number in its valid range, or the layout of the pages is not supported.
    """
    if "SI.VERSION_MAJOR" in software:
        return _modern(software, artist)
    if "scanimage.SI.VERSION_MAJOR" in description:
        return _modern(description, artist)
    if (found := _VERSION_4.search(description)) is not None:
        return _version_4(description, re.escape(found[1]))
    if "state.acq." in description:
        return _version_3(description)
    if "scanimage.SI" in description:
        raise _error("the header of an unknown version of ScanImage; write its file as ImageJ TIFF")
    return ScanImageHeader((1,), VolumeLayout(), None)


def has_scanimage_header(software: str, description: str) -> bool:
    """True if ScanImage wrote the page that has these texts."""
    return "SI.VERSION_MAJOR" in software or any(
        mark in description for mark in ("scanimage.SI", "state.acq.", "frameTimestamps_sec = ")
    )


def is_same_acquisition(before: tuple[str, str], after: tuple[str, str]) -> bool:
    """True if a page continues the acquisition of an earlier page.

    Both have the same header and start of the acquisition (`epoch`), and the frame number
    increases. Pages without frame numbers need a start.

    Parameters
    ----------
    before, after
        Software and description of the earlier and of the later page.
    """
    begun = [found and found[1].strip() for found in (_begun(before), _begun(after))]
    if before[0] != after[0] or begun[0] != begun[1]:
        return False
    stamps = page_stamp(before[1]), page_stamp(after[1])
    if stamps[0] is None or stamps[1] is None:
        return stamps == (None, None) and begun[0] is not None
    same = scanimage_header(*before) == scanimage_header(*after)
    return same and stamps[0].frame < stamps[1].frame


def _begun(texts: tuple[str, str]) -> re.Match[str] | None:
    return _BEGUN.search(texts[1].replace("\r", "\n"))


def page_stamp(description: str) -> PageStamp | None:
    """Frame and time stamp of a page; None if its description contains none."""
    frame, stamp = _FRAME.search(description), _STAMP.search(description)
    if frame is None or stamp is None:
        return None
    try:
        t_ns = round(float(stamp[1]) * _NS_PER_S)
    except (ValueError, OverflowError) as error:
        raise _error(f"the time stamp {stamp[1]!r:.40}") from error
    return PageStamp(int(frame[1]) - 1, t_ns)


def _modern(text: str, artist: str) -> ScanImageHeader:
    channels = re.findall(r"\d+", _entry(text, r"SI\.hChannels\.channelSave") or "1")
    slices = per_slice = 1
    if _entry(text, r"SI\.hStackManager\.enable") in (*_ON, None):  # None: up to version 2018
        slices = _whole(text, r"SI\.hStackManager\.actualNumSlices") or _whole(
            text, r"SI\.hStackManager\.numSlices"
        )
        per_slice = _whole(text, r"SI\.hStackManager\.framesPerSlice")
    averaged = _whole(text, r"SI\.hScan2D\.logAverageFactor") or 1
    flyback = 0
    if _entry(text, r"SI\.hFastZ\.enable") in _ON and slices > 1:
        flyback = _whole(text, r"SI\.hFastZ\.numDiscardFlybackFrames")
    layout = VolumeLayout(max(1, slices), max(1, per_slice // averaged), flyback)
    rate_hz = _rate_hz(text, r"SI\.hRoiManager\.scanFrameRate")
    header = ScanImageHeader(tuple(map(int, channels)), layout, rate_hz)
    if _entry(text, r"SI\.hRoiManager\.mroiEnable") not in _ON:
        return header
    return replace(header, field_rows=_field_rows(artist, slices=layout.slices))


def _version_4(text: str, prefix: str) -> ScanImageHeader:
    """Metadata of ScanImage 4 and 5.0, whose entries begin with `prefix`."""
    channels = re.findall(r"\d+", _entry(text, rf"{prefix}\.channelsSave") or "1")
    slices = max(1, _whole(text, rf"{prefix}\.stackNumSlices"))
    averaged = _whole(text, rf"{prefix}\.acqNumAveragedFrames") or 1
    per_slice, flyback = 1, 0
    if _entry(text, rf"{prefix}\.fastZEnable") not in _ON:
        per_slice = (
            max(1, _whole(text, rf"{prefix}\.acqNumFrames") // averaged) if slices > 1 else 1
        )
    elif slices > 1 and _entry(text, rf"{prefix}\.fastZDiscardFlybackFrames") in _ON:
        flyback = _whole(text, rf"{prefix}\.fastZNumDiscardFrames")
    layout = VolumeLayout(slices, per_slice, flyback)
    rate_hz = _rate_hz(text, rf"{prefix}\.scanFrameRate")
    return ScanImageHeader(tuple(map(int, channels)), layout, rate_hz)


def _field_rows(artist: str, *, slices: int) -> tuple[int, ...]:
    """Rows of each field of view in the RoiGroups of a header, in the order of the page."""
    try:
        group = json.loads(artist)["RoiGroups"]["imagingRoiGroup"]["rois"]
        rois = [roi for roi in _listed(group) if roi.get("enable", 1)]
        fields = [_listed(roi["scanfields"]) for roi in rois]
        sizes = [tuple(map(int, field[0]["pixelResolutionXY"])) for field in fields]
        rows = tuple(size[1] for size in sizes)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _error(f"mROI is on, but RoiGroups cannot be read ({error!r:.80})") from error
    if len(set(sizes)) > 1:
        raise _error(f"mROI fields of view of different sizes {sizes}: give them one size")
    discrete = any(roi.get("discretePlaneMode") for roi in rois)
    if slices > 1 and (discrete or any(len(field) > 1 for field in fields)):
        raise _error("mROI fields of view that differ between slices, which are not supported")
    if not rows or not 0 < sum(rows) <= _MOST:
        raise _error(f"mROI fields of view of {rows} rows")
    return rows if len(rows) > 1 else ()


def _listed(value: Any) -> list[Any]:
    """MATLAB writes a list of one element as the element."""
    return value if isinstance(value, list) else [value]


def fields_of_page(pixels: Pixels, field_rows: tuple[int, ...]) -> list[Pixels]:
    """Fields of view of a page (mROI) without the rows in which the beam moves between them.

    The page has the fields from top to bottom, with equal numbers of such rows between them.
    Raises StreamError if they do not fit into the page.
    """
    if not field_rows:
        return [pixels]
    rows, gaps = pixels.shape[0] - sum(field_rows), len(field_rows) - 1
    if rows < 0 or rows % gaps:
        raise _error(f"mROI fields of {field_rows} rows, which a page of {pixels.shape[0]} has not")
    starts = [k * (field_rows[0] + rows // gaps) for k in range(gaps + 1)]
    return [pixels[start : start + field_rows[0]] for start in starts]


def stack_images(description: str, *, path: Path) -> int | None:
    """Images of an ImageJ stack, as its first page states; None for all other TIFFs.

    Raises
    ------
    MovieFileError
        If an ImageJ or OME file has several channels or planes, whose images alternate.
    """
    if (ome := re.search(r"<(?:\w+:)?Pixels [^>]*>", description)) is not None:
        sizes = re.findall(r'\bSize([CZT])="(\d{1,9})"', ome[0])
        _refuse_alternating({axis: int(n) for axis, n in sizes}, "OME-TIFF", path)
    if not description.startswith("ImageJ="):
        return None
    numbers = re.findall(r"^(images|channels|slices|frames)=(\d{1,9})", description, re.MULTILINE)
    found = {name: int(number) for name, number in numbers}
    images = max(1, found.pop("images", 1))
    _refuse_alternating(found, "ImageJ stack", path)
    return images


def _refuse_alternating(sizes: dict[str, int], what: str, path: Path) -> None:
    """Refuse several axes; a single one is time, also where a program names it otherwise."""
    several = [f"{name}: {size}" for name, size in sizes.items() if size > 1]
    if len(several) > 1:
        raise MovieFileError(
            path=path,
            reason=f"{what} with several channels or planes ({', '.join(several)}), whose images "
            f"alternate: save each channel and plane as a file of its own",
        )


def _version_3(text: str) -> ScanImageHeader:
    text = text.replace("\r", "\n")
    saved = [n for n in range(1, 5) if _entry(text, rf"state\.acq\.savingChannel{n}") == "1"]
    slices = _whole(text, r"state\.acq\.numberOfZSlices") or 1
    rate_hz = _rate_hz(text, r"state\.acq\.frameRate", separator="=")
    return ScanImageHeader(tuple(saved) or (1,), VolumeLayout(slices), rate_hz)


def _entry(text: str, name: str) -> str | None:
    found = re.search(rf"^(?:scanimage\.)?{name} ?= ?(.*)$", text, re.MULTILINE)
    return None if found is None else found[1].strip()


def _whole(text: str, name: str) -> int:
    """Integer value of an entry; 0 if it is missing."""
    value = _entry(text, name) or "0"
    if not value.isdecimal() or int(value) > _MOST:
        raise _error(f"{name.replace(chr(92), '')} = {value:.40}")
    return int(value)


def _rate_hz(text: str, name: str, *, separator: str = " = ") -> float | None:
    value = _entry(text, name)
    try:
        rate_hz = None if value is None else float(value)
    except ValueError as error:
        raise _error(f"{name.replace(chr(92), '')}{separator}{value!r:.40}") from error
    return rate_hz if rate_hz and 0 < rate_hz < _MOST else None


def _error(reason: str) -> StreamError:
    return StreamError(stream="tiff_tail", reason=f"invalid ScanImage header: {reason}")
