"""Offline reconstruction of recorded trials in a notebook, by the code of the command."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.decode.compute import prepare_process
from rtdecode.notebook.opening import Data, Place, folder_of, path_of
from rtdecode.notebook.progress_lines import ProgressLines, Say
from rtdecode.notebook.twin import Twin
from rtdecode.offline.job import Request
from rtdecode.offline.reconstruct import reconstruct as reconstruct_trials
from rtdecode.offline.trial import Input
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.platform import usable_cores
from rtdecode.schema.errors import UnknownValueError

F32 = NDArray[np.float32]
METHODS = ("online", "offline", "reference", "direct", "ridge", "mean")


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructed:
    """Reconstructed trials and their scores."""

    summary: Mapping[str, Any]
    """Content of `summary.json`: scores with their intervals over clips, cost, provenance."""
    videos: Mapping[int, F32]
    """(frame, row, col) grey levels by trial; NaN in frames for which the method gives none."""

    @property
    def video_r(self) -> float:
        """Mean over trials."""
        return float(self.summary["video_r"]["mean"])

    def __repr__(self) -> str:
        low, high = self.summary["video_r"]["ci95"]
        return (
            f"<{len(self.videos)} trials by method {self.summary['method']}: video r "
            f"{self.video_r:.3f} (95 % interval {low:.3f} to {high:.3f})>"
        )


def reconstruct(
    data: Data,
    twin: Place | Twin | Sequence[Place | Twin] = (),
    *,
    out: Place | None = None,
    method: str = "online", tier: str = "test", source: str = "responses",
    lag_frames: int = 8, steps: int = 3, iterations: int | None = None,
    ridge: Place | None = None, direct: Place | None = None, mask: Place | None = None,
    threads: int = 0, progress: Say | None = print,
) -> Reconstructed:  # fmt: skip
    """Reconstruct and score the trials of a tier, as `rtdecode reconstruct` does.

    Parameters
    ----------
    data
        Recorded session: a folder of rtdecode or Sensorium, an .nwb file, or an opened session.
    twin
        Twin of the session; several of them are averaged.
    out
        Folder for videos and summary.json; None keeps them in memory alone.
    method, tier, source
        online, offline, reference, direct, ridge or mean; train, oracle (validation) or test;
        activity that is decoded: responses, traces or predicted.
    lag_frames, steps, iterations
        Fixed lag and steps a frame of method online; steps of methods offline and reference.
    ridge, direct, mask
        Folder of the linear decoder for method ridge, and of the network for method direct; .npy
        file of the screen mask, by default that of the twin, else the whole screen.
    threads, progress
        CPU threads, 0 for all cores; called with lines of text while it computes, None for none.

    Raises
    ------
    MissingOptionError, SessionNeuronsError, NoSuchTierError, LeakedClipError,
    UnreadableFileError
        As the command.

    Examples
    --------
    The held-out trials of a session, decoded with a lag of 12 frames:

        done = rtdecode.reconstruct("sessions/2026-11-30_09-00-00", "twin", lag_frames=12)
        done.video_r, done.videos[0].shape
    """
    _require_known("method", method, METHODS)
    _require_known("source", source, [one.value for one in Input])
    prepare_process(threads=threads or usable_cores())
    twins = [twin] if isinstance(twin, str | PathLike | Twin) else list(twin)
    with tempfile.TemporaryDirectory() as scratch:
        request = Request(
            folder_of(data), Path(scratch) if out is None else path_of(out), method, tier,
            tuple(one.folder if isinstance(one, Twin) else path_of(one) for one in twins),
            None if ridge is None else path_of(ridge), lag_frames, steps, iterations,
            None if mask is None else path_of(mask), source,
            None if direct is None else path_of(direct),
        )  # fmt: skip
        return _reconstructed(request, ProgressLines(progress, clock=HostClock()))


def _require_known(name: str, got: str, known: Sequence[str]) -> None:
    if got not in known:
        raise UnknownValueError(name=name, got=got, known=known)


def _reconstructed(request: Request, lines: ProgressLines) -> Reconstructed:
    lines.begin(f"reconstructing the trials of tier {request.tier} by method {request.method}")
    summary = reconstruct_trials(
        request,
        clock=HostClock(),
        report=lambda done, total, r: lines.count(done, total, f"video r {r:.3f}"),
    )
    files = (path for path in request.out.glob("*.npy") if path.stem.isdecimal())
    videos = {int(path.stem): np.load(path) for path in files}
    return Reconstructed(summary, dict(sorted(videos.items())))
