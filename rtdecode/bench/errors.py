"""`rtdecode bench errors`: where and when a reconstruction departs from the display beyond noise.

Noise is what the twin's noise model draws given the true display, so that what remains is misfit:
activity that neither twin nor noise model expects. As a control, one draw more takes the place of
the recorded activity; about 5 % of its errors must then exceed the limit of 95 %.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.error_statistics import (
    Content,
    bin_edges,
    binned,
    content_of,
    error_z,
    over_frames,
    over_screen,
    threshold,
)
from rtdecode.bench.paired_rows import Report, scored
from rtdecode.bench.result_file import KeptRows, Row
from rtdecode.bench.simulated_activity import drawn, noise_free
from rtdecode.bench.subject import Subject
from rtdecode.evaluate.metrics import FIRST_SCORED_FRAME
from rtdecode.offline.methods import Method, Online
from rtdecode.offline.reconstruct import online_config
from rtdecode.offline.trial import Trial

F32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

RECORDED, CONTROL = "recorded", "simulated"


@dataclass(frozen=True, slots=True)
class ErrorSettings:
    """The null distribution, and the decoder."""

    draws: int = 16
    """K: draws of activity for the null distribution of each clip."""
    bins: int = 5
    lag_frames: int = 8
    steps: int = 3


def bench_errors(
    subject: Subject, settings: ErrorSettings, json_file: Path, *, report: Report
) -> list[Row]:
    """Compute a row for each clip, keep each in `json_file`, and return them.

    A row has, for recorded and for simulated activity, the fraction of errors beyond the limit: in
    all (`beyond`), in each frame, at each pixel, and in bins of the content of the display, whose
    edges are in the row too; and one frame as an example.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        If `json_file` holds rows of other settings, or is damaged; it is not changed.
    """
    kept = KeptRows(json_file, name="errors", config=subject.identity | asdict(settings))
    method = Online(
        [subject.fitted], online_config(lag_frames=settings.lag_frames, steps=settings.steps)
    )
    places = [scored_places(one, subject.mask, method) for one in subject.trials]
    contents = [content_of(one.truth) for one in subject.trials]
    edges = bin_edges(contents, places, bins=settings.bins)
    for done, one in enumerate(zip(subject.trials, contents, places, strict=True), start=1):
        trial, content, place = one
        row = kept.find(trial=trial.number)
        if row is None:
            row = _row(
                subject,
                method,
                trial,
                draws=settings.draws,
                content=content,
                place=place,
                edges=edges,
            )
            kept.add(row)
        line = f"trial {trial.number}: {row[RECORDED]['beyond']:.1%} of the errors beyond noise"
        report(line, done, len(subject.trials))
    return kept.rows


def scored_places(trial: Trial, mask: Bool, method: Method) -> Bool:
    """(frame, row, col) True for the pixels and frames that are scored."""
    place = np.broadcast_to(mask, trial.truth.shape).copy()
    place[:FIRST_SCORED_FRAME] = False
    place[len(place) - (method.lag_frames or 0) :] = False
    return place


def _row(
    subject: Subject,
    method: Method,
    trial: Trial,
    *,
    draws: int,
    content: Content,
    place: Bool,
    edges: dict[str, list[float]],
) -> Row:
    free = noise_free(subject.fitted, trial)
    videos = (method.video(drawn(subject.fitted, free, draw=n)) for n in range(draws + 1))
    *null, control = (one - trial.truth for one in videos)
    video = method.video(trial)
    z_of = {
        RECORDED: error_z(video - trial.truth, np.stack(null)),
        CONTROL: error_z(control, np.stack(null)),
    }
    limit = threshold(draws)
    return {
        "trial": trial.number,
        "video_r": scored(trial.truth, video, subject.mask),
        "limit": limit,
        "edges": edges,
        **{
            name: {
                "beyond": float((np.abs(z[place]) > limit).mean()),
                "by_frame": over_frames(z, place, limit=limit),
                "map": over_screen(z, place, limit=limit),
                "bins": binned(z, content, place, edges, limit=limit),
            }
            for name, z in z_of.items()
        },
        "example": _example(trial.truth, video, z_of[RECORDED], place, limit=limit),
    }


def _example(truth: F32, video: F32, z: F32, place: Bool, *, limit: float) -> dict[str, Any]:
    """The frame with the most errors beyond the limit: display, reconstruction and z."""
    beyond = ((np.abs(z) > limit) & place).sum((1, 2))
    frame = int(beyond.argmax())
    return {
        "frame": frame,
        "display": np.round(truth[frame]).tolist(),
        "reconstruction": np.round(video[frame]).tolist(),
        "z": np.where(place[frame], np.round(z[frame], 2), np.nan).tolist(),
    }
