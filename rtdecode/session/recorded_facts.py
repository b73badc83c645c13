"""What is known of a recorded session beside its streams: events, trials, ROIs and metadata."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.array_files import arrays_of_npz
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.calcium import MASKS_FILE, plane_folder
from rtdecode.schema.control import Trial
from rtdecode.schema.messages import Event, Received, Start
from rtdecode.schema.notes import NOTE
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.layout import SessionLayout
from rtdecode.session.notes import later_notes
from rtdecode.session.session_file import session_facts

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Something that happened in a process."""

    t_s: float
    """Seconds since the first message of the session."""
    t_ns: int
    severity: str
    """info | warning | alarm."""
    process: str
    code: str
    text: str
    counts: Mapping[str, float]

    @classmethod
    def of(cls, event: Event, *, t_ns: int, zero_ns: int) -> Self:
        """The event that was sent at `t_ns`."""
        t_s = (t_ns - zero_ns) / _NS_PER_S
        return cls(t_s, t_ns, event.severity, event.process, event.code, event.text, event.counts)


def note_events(
    layout: SessionLayout, clock: WallClock | None, *, zero_ns: int
) -> list[RecordedEvent]:
    """Notes that were given after the end; their time is NaN without a wall clock."""
    found = []
    for note in later_notes(layout):
        t_ns = 0 if clock is None else clock.t_ns_of(note.utc)
        t_s = (t_ns - zero_ns) / _NS_PER_S if clock is not None else math.nan
        found.append(RecordedEvent(t_s, t_ns, "info", "", NOTE, note.text, {}))
    return found


@dataclass(frozen=True, slots=True)
class RecordedTrial:
    """A displayed trial of a protocol."""

    number: int
    """In the order of the protocol; -1 for a clip or frames that an action displayed."""
    block: str
    stimulus: str
    parameters: Mapping[str, float]
    t_start_s: float
    """Flip of its first frame, in s since the first message of the session."""
    t_end_s: float
    """Flip of the first frame after it."""
    t_start_ns: int
    t_end_ns: int
    n_frames: int
    cause: int
    """Number of the action that asked for it; -1 for the order of the protocol."""

    @classmethod
    def of(cls, trial: Trial, *, zero_ns: int) -> Self:
        """The trial that a message states."""
        return cls(
            number=trial.number,
            block=trial.block,
            stimulus=trial.stimulus,
            parameters=trial.parameters,
            t_start_s=(trial.t_start_ns - zero_ns) / _NS_PER_S,
            t_end_s=(trial.t_end_ns - zero_ns) / _NS_PER_S,
            t_start_ns=trial.t_start_ns,
            t_end_ns=trial.t_end_ns,
            n_frames=trial.n_frames,
            cause=trial.cause,
        )


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRois:
    """ROIs of one plane, as the file that the calcium chain keeps with the session."""

    shape: tuple[int, int]
    """(row, col) size of the field of view in px."""
    indptr: NDArray[np.int64]
    """(neuron + 1,) where the pixels of each neuron begin."""
    pixels: NDArray[np.int64]
    """(pixel,) row * cols + col."""
    weights: NDArray[np.float32]
    """(pixel,) weight of each pixel in its neuron."""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def pixels_of(self, neuron: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the pixels of one neuron."""
        rows, cols = divmod(
            self.pixels[self.indptr[neuron] : self.indptr[neuron + 1]], self.shape[1]
        )
        return rows, cols

    def weights_of(self, neuron: int) -> NDArray[np.float32]:
        """Weight of each of the pixels of one neuron."""
        return self.weights[self.indptr[neuron] : self.indptr[neuron + 1]]

    def __repr__(self) -> str:
        return f"<{len(self)} ROIs in {self.shape[0]} x {self.shape[1]} px>"


def read_rois(folder: Path) -> dict[int, RecordedRois]:
    """ROIs by plane; UnreadableFileError where a file is damaged."""
    files = {0: folder / MASKS_FILE}
    for path in folder.glob(f"{plane_folder(0).rstrip('0')}*/{MASKS_FILE}"):
        number = path.parent.name.removeprefix(plane_folder(0).rstrip("0"))
        if number.isdecimal():
            files[int(number)] = path
    return {plane: _rois_in(path) for plane, path in sorted(files.items()) if path.is_file()}


def _rois_in(path: Path) -> RecordedRois:
    names = ("shape", "indptr", "pixels", "weights")
    found = arrays_of_npz(
        path, names, what="the ROI file", expected="a .npz of ROIs", remedy="restore the file"
    )
    rows, cols = found["shape"].tolist()
    return RecordedRois(
        shape=(rows, cols),
        indptr=found["indptr"].astype(np.int64),
        pixels=found["pixels"].astype(np.int64),
        weights=found["weights"].astype(np.float32),
    )


class _Described(Protocol):
    """What metadata need of a session."""

    @property
    def layout(self) -> SessionLayout: ...
    @property
    def name(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def zero_ns(self) -> int: ...
    @property
    def complete(self) -> bool: ...
    @property
    def wall_clock(self) -> WallClock | None: ...

    def messages(self, *kinds: str) -> Iterator[Received]: ...


def session_metadata(session: _Described, config: RunConfig | None) -> dict[str, Any]:
    """Metadata of a session, by name."""
    environment = _json(session.layout.environment)
    bodies = [one.message.body for one in session.messages(Start.kind)]
    starts = [one for one in bodies if isinstance(one, Start)]
    twins = [one.twin_hash for one in starts if one.twin_hash]
    clock = session.wall_clock
    twin = session_facts(session.layout).get("twin") or {}
    found: dict[str, Any] = {
        "session": session.name,
        "started_utc": None if clock is None else clock.utc(session.zero_ns).isoformat(),
        "seconds": session.seconds,
        "zero_ns": session.zero_ns,
        "complete": session.complete,
        "repaired": session.layout.repaired,
        "versions": environment.get("versions", {}),
        "git_revision": environment.get("git_revision"),
        "environment": environment,
        "twin_hash": next(iter(twins), None),
        "twin": None,
        "twin_single_trial_r": twin.get("training_r"),
        "twin_training": twin,
    }
    return found if config is None else found | _of_config(config)


def _of_config(config: RunConfig) -> dict[str, Any]:
    source = config.acquisition.source
    found: dict[str, Any] = config.session.model_dump(mode="json")
    found |= {
        "frame_rate_hz": config.frame_rate_hz,
        "scan_rate_hz": getattr(source, "scan_rate_hz", None),
        "source": source.kind,
        "screen_px": (config.stimulus.rows_px, config.stimulus.cols_px),
        "planes": config.calcium.planes,
        "policy": None if config.control is None else config.control.model_dump(mode="json"),
    }
    if config.decode is None or not config.decode.twin_folders:
        return found
    return found | {
        "twin": ", ".join(map(str, config.decode.twin_folders)),
        "lag_frames": config.decode.lag_frames,
        "steps": config.decode.steps,
    }


def _json(path: Path) -> dict[str, Any]:
    """The map in a JSON file; empty where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
