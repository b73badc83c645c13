"""ThorImage's Experiment.xml, which describes its raw file; for `raw_tail`."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from rtdecode.schema.errors import MissingFileError, UnreadableFileError

_MOST_BYTES = 1 << 24
_CHANNEL_BITS = 4


@dataclass(frozen=True, slots=True)
class ThorExperiment:
    """Size, rate and order of the scans; `scan_rate_hz` counts the scans of all planes."""

    rows_px: int
    cols_px: int
    scan_rate_hz: float
    planes: int
    flyback_scans: int
    channels: int


def read_thor_experiment(path: Path) -> ThorExperiment:
    """Settings in an Experiment.xml.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If there is no file, or an entry is missing; the message names it.
    """
    if not path.is_file():
        raise MissingFileError(
            what="ThorImage header",
            path=path,
            remedy="point acquisition.source.experiment to the Experiment.xml of this recording",
        )
    try:
        return parsed_thor_experiment(path.read_bytes())
    except (ValueError, ElementTree.ParseError) as error:
        raise UnreadableFileError(
            what="ThorImage header", path=path, expected="an Experiment.xml", got=str(error)
        ) from error


def parsed_thor_experiment(content: bytes) -> ThorExperiment:
    """Settings in the bytes of an Experiment.xml; raises ValueError or ParseError."""
    if len(content) > _MOST_BYTES or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("a file that is too large, or declares entities")
    root = ElementTree.fromstring(content)  # noqa: S314 - no entities, see above
    lsm = _section(root, "LSM")
    streaming = root.find("Streaming")
    fast_z = streaming is not None and streaming.get("zFastEnable", "0") == "1"
    averaged = _number(lsm, "averageNum") if lsm.get("averageMode", "0") == "1" else 1
    return ThorExperiment(
        rows_px=round(_number(lsm, "pixelY")),
        cols_px=round(_number(lsm, "pixelX")),
        scan_rate_hz=_number(lsm, "frameRate") / averaged,
        planes=round(_number(_section(root, "ZStage"), "steps")) if fast_z else 1,
        flyback_scans=int(streaming.get("flybackFrames", "0"))
        if fast_z and streaming is not None
        else 0,
        channels=_channels(root, lsm),
    )


def _channels(root: ElementTree.Element, lsm: ElementTree.Element) -> int:
    """Number of channels in the raw file: the enabled ones, or all four in older versions."""
    raw = root.find("RawData")
    if raw is not None and raw.get("onlyEnabledChannels") == "0":
        return _CHANNEL_BITS
    enabled = round(_number(lsm, "channel"))
    return max(1, enabled.bit_count())


def _section(root: ElementTree.Element, name: str) -> ElementTree.Element:
    found = root.find(name)
    if found is None:
        raise ValueError(f"no <{name}>")
    return found


def _number(section: ElementTree.Element, name: str) -> float:
    value = float(section.get(name, "nan"))
    if not 0 < value < _MOST_BYTES:
        raise ValueError(f"<{section.tag} {name}={section.get(name)!r}>, not a number above 0")
    return value
