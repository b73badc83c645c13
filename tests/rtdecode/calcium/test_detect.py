"""Local correlation finds active cells, and reports where there are none."""

import numpy as np
import pytest

from rtdecode.calcium.detect import detected_rois
from rtdecode.schema.errors import NoCellsFoundError

CENTERS = np.array([(16, 16), (16, 44), (44, 20), (44, 46)])


def scans(*, firing: float) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:64, :64]
    cells = [(rows - r) ** 2 + (cols - c) ** 2 <= 16 for r, c in CENTERS]
    light, movie = np.zeros(4), []
    for _ in range(200):
        light = 0.9 * light + firing * rng.poisson(0.1, 4)
        movie.append(rng.poisson(40 + sum(a * cell for a, cell in zip(light, cells, strict=True))))
    return movie


def test_each_firing_cell_is_found_once() -> None:
    movie = scans(firing=40)
    rois = detected_rois(movie, reference=np.mean(movie, 0), max_shift_px=4)
    distance = np.linalg.norm(rois.centers_px[:, None] - CENTERS, axis=2)
    assert rois.count == 4
    assert distance.min(0).max() < 1.5


def test_noise_alone_is_no_cell() -> None:
    movie = scans(firing=0)
    with pytest.raises(NoCellsFoundError, match="200 scans"):
        detected_rois(movie, reference=np.mean(movie, 0), max_shift_px=4)
