"""Running scores and checks of the twin, as tables of an NWB file beside the reconstruction."""

from typing import Any

import numpy as np

from rtdecode.export.nwb_frames import DECODING
from rtdecode.export.nwb_library import Column, nwb_library
from rtdecode.export.session_content import SessionContent

_MS = 1e-3


def add_scores(file: Any, content: SessionContent) -> None:
    """Add running scores and checks of the twin to the module of the reconstruction."""
    tables = [_scores(content), _checks(content)]
    for made in tables:
        if made is None:
            continue
        if DECODING not in file.processing:
            file.create_processing_module(DECODING, "Agreement of twin, activity and screen.")
        file.processing[DECODING].add(made)


def _scores(content: SessionContent) -> Any | None:
    rows = content.scores
    if not rows:
        return None
    scores = [score for _, score in rows]
    return _timed(
        "scores",
        "Agreement of reconstructed and displayed frames over a sliding window, as scored live.",
        content.seconds_of(np.array([t_ns for t_ns, _ in rows], np.int64)),
        [
            Column(
                "video_r",
                "Correlation over all pixels and frames.",
                [one.video_r for one in scores],
            ),
            Column(
                "frame_r",
                "Mean of the correlations within single frames.",
                [one.frame_r for one in scores],
            ),
            Column("ssim", "Structural similarity.", [one.ssim for one in scores]),
            Column(
                "shift",
                "Shift with the best agreement, in s.",
                [_MS * one.shift_ms for one in scores],
            ),
            Column("window", "Length of the window in s.", [one.window_s for one in scores]),
            Column("n_frames", "Frames that were compared.", [one.n_frames for one in scores]),
            Column("final", "True for the score of the whole run.", [one.final for one in scores]),
        ],
    )


def _checks(content: SessionContent) -> Any | None:
    rows = content.checks
    if not rows:
        return None
    checks = [check for _, check in rows]
    return _timed(
        "twin_check",
        "Agreement of the recorded activity with that which the twin predicts from the screen.",
        content.seconds_of(np.array([t_ns for t_ns, _ in rows], np.int64)),
        [
            Column("r", "Single-trial correlation, mean over neurons.", [one.r for one in checks]),
            Column(
                "r_expected",
                "The same under the noise model of the twin.",
                [one.r_expected for one in checks],
            ),
            Column(
                "r_training",
                "The same at the training of the twin.",
                [one.r_training for one in checks],
            ),
            Column(
                "verdict",
                "match, mismatch, constant screen or too few frames.",
                [one.verdict for one in checks],
            ),
            Column("n_frames", "Frames that were compared.", [one.n_frames for one in checks]),
        ],
    )


def _timed(name: str, description: str, t_s: Any, columns: list[Column]) -> Any:
    """A table of a processing module, with the time of each row."""
    core, event = nwb_library().core, nwb_library().event
    stamps = event.TimestampVectorData(
        name="timestamp", description="Time in s from the start of the session.", data=t_s
    )
    data = [
        core.VectorData(name=one.name, description=one.description, data=one.values)
        for one in columns
    ]
    return core.DynamicTable(name=name, description=description, columns=[stamps, *data])
