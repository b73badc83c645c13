"""Running scores and checks of the twin, as tables of an NWB file beside the reconstruction."""

from typing import Any

import numpy as np

from rtdecode.export.nwb_frames import DECODING
from rtdecode.export.nwb_library import Column, fields_of, timed_table
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
    return timed_table(
        "scores",
        "Agreement of reconstructed and displayed frames over a sliding window, as scored live.",
        t_s=content.seconds_of(np.array([t_ns for t_ns, _ in rows], np.int64)),
        columns=[
            *fields_of(
                scores,
                video_r="Correlation over all pixels and frames.",
                frame_r="Mean of the correlations within single frames.",
                ssim="Structural similarity.",
            ),
            Column(
                "shift",
                "Shift with the best agreement, in s.",
                [_MS * one.shift_ms for one in scores],
            ),
            Column("window", "Length of the window in s.", [one.window_s for one in scores]),
            *fields_of(
                scores,
                n_frames="Frames that were compared.",
                final="True for the score of the whole run.",
            ),
        ],
    )


def _checks(content: SessionContent) -> Any | None:
    rows = content.checks
    if not rows:
        return None
    checks = [check for _, check in rows]
    return timed_table(
        "twin_check",
        "Agreement of the recorded activity with that which the twin predicts from the screen.",
        t_s=content.seconds_of(np.array([t_ns for t_ns, _ in rows], np.int64)),
        columns=fields_of(
            checks,
            r="Single-trial correlation, mean over neurons.",
            r_expected="The same under the noise model of the twin.",
            r_training="The same at the training of the twin.",
            verdict="match, mismatch, constant screen or too few frames.",
            n_frames="Frames that were compared.",
        ),
    )
