"""Metadata of ScanImage TIFFs (3.8, 5 and later) for `tiff_tail`: rate, channels, planes."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from acquisition_bridge.sources.intake import VolumeLayout
from rtdecode.schema.errors import StreamError

_FRAME = re.compile(r"^frameNumbers = (\d{1,18})", re.MULTILINE)
_STAMP = re.compile(r"^frameTimestamps_sec = ([\d.eE+-]+)", re.MULTILINE)
_MOST = 1 << 16
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ScanImageHeader:
    """Saved channels in the order of the pages, layout of planes, and the nominal rate."""

    channels: tuple[int, ...]
    volume: VolumeLayout
    frame_rate_hz: float | None
    """Nominal frame rate in Hz; the time stamps of the pages take precedence."""


class PageStamp(NamedTuple):
    """Frame since the start (from 0), and time in ns since the acquisition began.

    In a slow stack each slice is an acquisition of its own: its time restarts, the frame does not.
    """

    frame: int
    t_ns: int


def scanimage_header(software: str, description: str) -> ScanImageHeader:
    """Metadata in the texts of the first page; one channel and one plane for other TIFFs.

    Raises
    ------
    StreamError
        If a value is no number in its valid range.
    """
    if "SI.VERSION_MAJOR" in software:
        return _modern(software)
    if "state.acq." in description:
        return _version_3(description)
    return ScanImageHeader((1,), VolumeLayout(), None)


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


def _modern(text: str) -> ScanImageHeader:
    channels = re.findall(r"\d+", _entry(text, r"SI\.hChannels\.channelSave") or "1")
    slices = per_slice = 1
    if _entry(text, r"SI\.hStackManager\.enable") == "true":
        slices = _whole(text, r"SI\.hStackManager\.actualNumSlices") or _whole(
            text, r"SI\.hStackManager\.numSlices"
        )
        per_slice = _whole(text, r"SI\.hStackManager\.framesPerSlice")
    averaged = _whole(text, r"SI\.hScan2D\.logAverageFactor") or 1
    flyback = 0
    if _entry(text, r"SI\.hFastZ\.enable") == "true" and slices > 1:
        flyback = _whole(text, r"SI\.hFastZ\.numDiscardFlybackFrames")
    layout = VolumeLayout(max(1, slices), max(1, per_slice // averaged), flyback)
    rate_hz = _rate_hz(text, r"SI\.hRoiManager\.scanFrameRate")
    return ScanImageHeader(tuple(map(int, channels)), layout, rate_hz)


def _version_3(text: str) -> ScanImageHeader:
    text = text.replace("\r", "\n")
    saved = [n for n in range(1, 5) if _entry(text, rf"state\.acq\.savingChannel{n}") == "1"]
    slices = _whole(text, r"state\.acq\.numberOfZSlices") or 1
    rate_hz = _rate_hz(text, r"state\.acq\.frameRate", separator="=")
    return ScanImageHeader(tuple(saved) or (1,), VolumeLayout(slices), rate_hz)


def _entry(text: str, name: str) -> str | None:
    found = re.search(rf"^{name} ?= ?(.*)$", text, re.MULTILINE)
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
