"""Small simulated mice that see light: a screen of 12 x 16 px on which soft blobs drift."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.datasets.sensorium import SessionWriter
from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment

ROWS, COLS, FRAMES, BLOBS = 12, 16, 90, 3
F32 = NDArray[np.float32]


def write_mouse(
    folder: Path, *, neurons: int, train: int, validation: int, test: int, seed: int
) -> Path:
    """Write a session in the Sensorium layout, trials of 3 s, and return its folder.

    A neuron responds to the light at a place of its own two frames ago, rectified, with gamma noise
    (SD half of the mean).
    """
    rng = np.random.default_rng(seed)
    places = np.column_stack(
        [rng.integers(1, ROWS - 1, neurons), rng.integers(1, COLS - 1, neurons)]
    )
    writer = SessionWriter(folder)
    for tier in [TRAIN] * train + [VALIDATION] * validation + ["test"] * test:
        video = drifting_blobs(rng)
        light = video[:, places[:, 0], places[:, 1]]
        late = np.concatenate([light[:1], light[:1], light[:-2]])
        rate = np.maximum(0.1, (late - 90) / 40)
        responses = rng.gamma(4, rate / 4).astype(np.float32)
        behaviour = rng.normal(size=(FRAMES, 4)).astype(np.float32)
        writer.add(Segment(video, responses, behaviour), tier=tier)
    return folder


def drifting_blobs(rng: np.random.Generator) -> F32:
    """(frame, row, col) grey levels: soft blobs, brighter or darker, on random walks."""
    y, x = np.mgrid[:ROWS, :COLS]
    video = np.full((FRAMES, ROWS, COLS), 110.0)
    for _ in range(BLOBS):
        path = np.cumsum(rng.normal(0, 0.5, (FRAMES, 2)), 0) + rng.uniform(0, 1, 2) * [ROWS, COLS]
        height = rng.choice([-70, 70])
        for t, (row, col) in enumerate(path % [ROWS, COLS]):
            video[t] += height * np.exp(-((y - row) ** 2 + (x - col) ** 2) / 12)
    return np.clip(video, 0, 255).astype(np.uint8).astype(np.float32)
