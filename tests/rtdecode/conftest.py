"""A tiny recorded session whose neurons are known, and a twin that was trained on it."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment
from rtdecode.schema.config.training import TrainingConfig

ROWS, COLS, FRAMES = 12, 16, 90


class CountingClock:
    """Goes on by `pace_s` each time it is looked at."""

    def __init__(self, pace_s: int = 1) -> None:
        self._now_s, self._pace_s = 0, pace_s

    def now_ns(self) -> int:
        self._now_s += self._pace_s
        return self._now_s * 1_000_000_000

    def sleep_until(self, t_ns: int) -> None:
        self._now_s = max(self._now_s, t_ns // 1_000_000_000)


def drifting_blobs(rng: np.random.Generator) -> np.ndarray:
    """(frame, row, col) grey levels: three soft blobs that wander over the screen."""
    y, x = np.mgrid[:ROWS, :COLS]
    video = np.full((FRAMES, ROWS, COLS), 110.0)
    for _ in range(3):
        path = np.cumsum(rng.normal(0, 0.5, (FRAMES, 2)), 0) + rng.uniform(0, 1, 2) * [ROWS, COLS]
        height = rng.choice([-70, 70])
        for t, (row, col) in enumerate(path % [ROWS, COLS]):
            video[t] += height * np.exp(-((y - row) ** 2 + (x - col) ** 2) / 12)
    return np.clip(video, 0, 255).astype(np.uint8).astype(np.float32)


def centers_px() -> np.ndarray:
    """(neuron, 2) columns and rows where the neurons look: a grid of four by three."""
    rows, cols = np.mgrid[2:ROWS:4, 2:COLS:4]
    return np.column_stack([cols.ravel(), rows.ravel()]).astype(np.float32)


def answers(video: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(frame, neuron) activity: the light at each centre two frames ago, rectified, noisy."""
    light = np.stack([video[:, int(r), int(c)] for c, r in centers_px()], 1)
    late = np.concatenate([light[:1], light[:1], light[:-2]])
    rate = np.maximum(0.1, (late - 90) / 40)
    return rng.gamma(4, rate / 4).astype(np.float32)


def write_session(folder: Path, *, train: int, validation: int = 2, test: int = 1) -> Path:
    rng = np.random.default_rng(5)
    writer = SessionWriter(folder)
    for tier in [TRAIN] * train + [VALIDATION] * validation + ["test"] * test:
        video = drifting_blobs(rng)
        behaviour = rng.normal(size=(FRAMES, 4)).astype(np.float32)
        writer.add(Segment(video, answers(video, rng), behaviour), tier=tier)
    return folder


@pytest.fixture
def clock() -> CountingClock:
    return CountingClock()


@pytest.fixture
def slow_clock() -> CountingClock:
    """Every step seems to take seven seconds, so that a checkpoint is written at every third."""
    return CountingClock(pace_s=7)


@pytest.fixture(scope="session")
def blob_session(tmp_path_factory: pytest.TempPathFactory) -> SensoriumFolder:
    """Sixteen training trials of three seconds; twelve neurons that see light."""
    return SensoriumFolder(write_session(tmp_path_factory.mktemp("session") / "blobs", train=16))


@pytest.fixture(scope="session")
def blob_centers_px() -> np.ndarray:
    """(neuron, 2) column and row at which each neuron of `blob_session` really looks."""
    return centers_px()


@pytest.fixture(scope="session")
def blob_twin(blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small twin that was shortly trained on `blob_session`."""
    # torch takes seconds to import, and few tests of this folder need it
    from rtdecode.train.twin_fit import fit_compact

    folder = tmp_path_factory.mktemp("twin") / "blobs"
    short = TrainingConfig(
        steps=60, batch=2, frames=24, learning_rate=0.01, warm_up_steps=5, validate_every=30
    )
    fit_compact(blob_session, folder, short, clock=CountingClock(), report=lambda _: None)
    return folder
