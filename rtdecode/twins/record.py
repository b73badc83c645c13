"""What a session keeps of the twin that it is decoded with; needs no torch.

The folder of a twin may be fitted again or moved after a session, so its name, hash, training and
score are read when the session begins.

    record = twin_record(*config.decode.twin_folders)
    print(record.name, record.hash, record.training_r)

`loaded.json` states the content of the files with which the twin was once loaded without a mistake:
as long as they are unchanged, a run of the twin can be checked without torch, whose import takes
longer than all other checks.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rtdecode.schema.config.decode import RoisCheck
from rtdecode.schema.errors import (
    MissingFileError,
    TwinRepeatedError,
    TwinRoisError,
    TwinsDifferError,
)

WEIGHTS = "twin.safetensors"
DESCRIPTION = "twin.json"
PRIOR, NOISE, POSTERIOR = "prior.safetensors", "noise.safetensors", "posterior.safetensors"
LOADED = "loaded.json"
"""Hashes of the files of a twin that was loaded; optional."""
TRAINING_REPORT = "training.json"
"""Record of the training, with the single-trial correlation of each neuron; optional."""
MEASURED_BY = (
    "`rtdecode fit twin` or, for an imported twin, `rtdecode import-twin --data` writes it"
)
"""What to do where prior or noise model are missing."""
REMEDY = "give a folder that `rtdecode fit twin` or `rtdecode import-twin` wrote"


@dataclass(frozen=True, slots=True)
class TwinRecord:
    """Name, content hash and training of a twin; what its folder does not state is empty."""

    name: str
    folder: str
    hash: str
    """SHA-256 of description and weights, as the START of the decoder has it."""
    architecture: str = ""
    neurons: int | None = None
    trained_on: str = ""
    """Name of the session that it was trained on."""
    training: str = ""
    """Loss, steps and seed."""
    written: str = ""
    """Date and time (UTC) of the file of its weights."""
    clips: int | None = None
    """Number of clips that it was trained on."""
    training_r: float | None = None
    """Single-trial correlation on held-out clips at the training, mean over neurons."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "TwinRecord":
        """What `as_json` gave; unknown fields are ignored."""
        known = {name: plain[name] for name in cls.__slots__ if name in plain}
        return cls(**{"name": "", "folder": "", "hash": "", **known})


def twin_record(folder: Path, *others: Path) -> TwinRecord:
    """What is known of the twin in `folder`, or of several twins that are inverted together.

    Of several twins texts are listed, numbers are given where all have the same, and the training
    r is the mean.

    Raises
    ------
    MissingFileError
        If description or weights do not exist.
    """
    each = [_record_of(one) for one in (folder, *others)]
    if not others:
        return each[0]
    r = [one.training_r for one in each if one.training_r is not None]
    return TwinRecord(
        **{name: _listed(getattr(one, name) for one in each) for name in _TEXTS},
        hash=twin_hash(folder, *others),
        neurons=_common([one.neurons for one in each]),
        clips=_common([one.clips for one in each]),
        training_r=sum(r) / len(r) if len(r) == len(each) else None,
    )


_TEXTS = ("name", "folder", "architecture", "trained_on", "training", "written")


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, texts)))


def _common(numbers: Sequence[int | None]) -> int | None:
    return numbers[0] if len(set(numbers)) == 1 else None


def _record_of(folder: Path) -> TwinRecord:
    described = _json_of(folder / DESCRIPTION)
    provenance = _map(described.get("provenance"))
    clips = described.get("training_clips")
    written = datetime.fromtimestamp(existing(folder / WEIGHTS).stat().st_mtime, UTC)
    neurons = described.get("neurons")
    return TwinRecord(
        name=folder.resolve().name,
        folder=str(folder.resolve()),
        hash=twin_hash(folder),
        architecture=str(described.get("architecture", "")),
        neurons=neurons if isinstance(neurons, int) else None,
        trained_on=str(provenance.get("session", "")),
        training=str(provenance.get("trained", "")),
        written=written.isoformat(timespec="seconds"),
        clips=len(clips) if isinstance(clips, list | dict) and clips else None,
        training_r=_training_r(folder),
    )


@dataclass(frozen=True, slots=True)
class TwinSizes:
    """What of a twin has to agree with the run that decodes with it."""

    neurons: int
    rows_px: int
    cols_px: int
    frame_rate_hz: float
    rois_hash: str = ""
    """Content hash of the ROIs whose responses it was trained on; empty if unknown."""


def require_distinct(folders: Sequence[Path]) -> None:
    """Raise TwinRepeatedError where two of `folders` are the same one, also by links."""
    seen: dict[Path, Path] = {}
    for folder in folders:
        first = seen.setdefault(folder.resolve(), folder)
        if first is not folder:
            raise TwinRepeatedError(first=first, other=folder)


def require_common(
    first: tuple[Path, TwinSizes], other: tuple[Path, TwinSizes], *, by: RoisCheck
) -> None:
    """Raise TwinsDifferError unless two twins, each with its folder, can be inverted together.

    With `RoisCheck.COUNT` the content of their ROIs is not compared.
    """
    (_, one), (_, two) = first, other
    pairs: dict[str, tuple[float | str, float | str]] = {
        "neurons": (one.neurons, two.neurons),
        "rows of the screen": (one.rows_px, two.rows_px),
        "columns of the screen": (one.cols_px, two.cols_px),
        "frames per second": (one.frame_rate_hz, two.frame_rate_hz),
    }
    if by is RoisCheck.CONTENT and one.rois_hash and two.rois_hash:
        pairs["content hash of the ROIs"] = (one.rois_hash, two.rois_hash)
    if differing := [name for name, (mine, its) in pairs.items() if mine != its]:
        what = ", ".join(f"{name} {pairs[name][0]} and {pairs[name][1]}" for name in differing)
        raise TwinsDifferError(first=first[0], other=other[0], what=what)


def state_loaded(folder: Path) -> None:
    """Write that the files of the twin in `folder`, as they are, were loaded without a mistake."""
    text = json.dumps({"sha256": dict(_hashes(folder))}, indent=2)
    (folder / LOADED).write_text(text + "\n", encoding="utf-8")


def sizes_if_loaded(folder: Path) -> TwinSizes | None:
    """Sizes of a twin whose files are those that were once loaded; None where that is not known."""
    try:
        if _json_of(folder / LOADED).get("sha256") != dict(_hashes(folder)):
            return None
    except OSError:
        return None
    found = _json_of(folder / DESCRIPTION)
    try:
        return TwinSizes(
            neurons=int(found["neurons"]),
            rows_px=int(found["rows_px"]),
            cols_px=int(found["cols_px"]),
            frame_rate_hz=float(found["frame_rate_hz"]),
            rois_hash=str(_map(found.get("provenance")).get("rois_hash", "")),
        )
    except (LookupError, TypeError, ValueError):
        return None


def _hashes(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each file that loading reads; a file that is absent has none."""
    for name in (DESCRIPTION, WEIGHTS, PRIOR, NOISE, POSTERIOR):
        path = folder / name
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        yield name, content


def require_rois(trained: str, streamed: str, *, by: RoisCheck, twin: str) -> None:
    """Raise TwinRoisError where the ROIs are known not to be those of the twin.

    Parameters
    ----------
    trained, streamed
        Content hash of the ROIs of the twin, and of those whose responses are decoded; empty if
        unknown.
    by
        With `RoisCheck.COUNT`, the content is not compared.
    twin
        Name of the twin in the message.
    """
    if by is RoisCheck.CONTENT and trained and streamed and streamed != trained:
        raise TwinRoisError(streamed=streamed, trained=trained, twin=twin)


def fit_warnings(folder: Path) -> Sequence[str]:
    """What the fit of the twin in `folder` warned of."""
    found = _json_of(folder / TRAINING_REPORT).get("warnings")
    return [str(one) for one in found] if isinstance(found, list) else []


def _training_r(folder: Path) -> float | None:
    r = _map(_json_of(folder / TRAINING_REPORT).get("single_trial_r")).get("mean")
    return r if isinstance(r, float) and math.isfinite(r) else None


def twin_hash(folder: Path, *others: Path) -> str:
    """SHA-256 of description and weights, in hexadecimal, which identifies a twin in a log.

    Of several twins it is the hash of their files in order.

    Raises
    ------
    MissingFileError
        If one of the files does not exist.
    """
    digest = hashlib.sha256()
    for path in (one / name for one in (folder, *others) for name in (DESCRIPTION, WEIGHTS)):
        digest.update(existing(path).read_bytes())
    return digest.hexdigest()


def existing(path: Path) -> Path:
    """`path` if it is a file of a twin that exists; else MissingFileError."""
    if not path.is_file():
        raise MissingFileError(what="twin file", path=path, remedy=REMEDY)
    return path


def _json_of(path: Path) -> Mapping[str, Any]:
    try:
        return _map(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return {}


def _map(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
