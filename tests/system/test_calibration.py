"""A calibration of one run starts the next at once, or ends it where the field differs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from rtdecode.calcium.rois import rois_from_lists
from rtdecode.schema.messages import Responses
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

ROWS, COLS = 64, 72
CONFIG = """
processes: [recorder, bridge, decoder]
acquisition:
  source: {kind: raw_movie, scan_rate_hz: 30.0}
calcium: {calibration_s: 1.5, rois: masks.npz%s}
decode: null
"""


def movie(seed: int, *, scans: int) -> np.ndarray:
    """(scan, row, col) of spotted tissue that stands still."""
    rng = np.random.default_rng(seed)
    spots = ndimage.gaussian_filter(rng.normal(0, 60, (ROWS, COLS)), 1.5)
    return rng.poisson(np.maximum(60 + spots, 1), (scans, ROWS, COLS)).astype(np.uint16)


def ran(folder: Path, seed: int, *, scans: int, out: str, calcium: str = "") -> tuple[int, str]:
    """Exit code and last words of a run on a movie."""
    tifffile.imwrite(folder / "movie.tif", movie(seed, scans=scans), photometric="minisblack")
    (folder / "run.yaml").write_text(CONFIG % calcium)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "rtdecode", "run", "run.yaml"),
            *("--movie", "movie.tif", "--out", out),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def valid(session: Path) -> list[bool]:
    """Whether all neurons are valid, frame after frame."""
    log = LogReader(session / "log.mcap").messages(lambda stream: stream == "decoder/responses")
    bodies = [item.message.body for item in log]
    return [bool(body.valid.all()) for body in bodies if isinstance(body, Responses)]


@pytest.mark.slow
def test_a_calibration_serves_its_own_field_and_refuses_another(tmp_path: Path) -> None:
    cell = np.add.outer(np.arange(20, 26) * COLS, np.arange(30, 36)).ravel()
    rois_from_lists((ROWS, COLS), [(cell, np.ones(len(cell)))]).save(tmp_path / "masks.npz")
    assert ran(tmp_path, 0, scans=90, out="first") == (0, "")
    assert (tmp_path / "first" / "report" / "figures" / "cells.png").is_file()
    learned = valid(tmp_path / "first")
    assert learned[-1]
    assert not any(learned[:40])

    named = ", calibration: first/calibration.npz"
    assert ran(tmp_path, 0, scans=60, out="second", calcium=named) == (0, "")
    assert all(valid(tmp_path / "second")[3:])

    # long enough for the refusal to come before the movie's end on a busy machine
    code, told = ran(tmp_path, 1, scans=1800, out="third", calcium=named)
    assert code == 2
    assert "30 of the first 30 scans cannot be registered" in told
    picture = tmp_path / "third" / "report" / "refused.png"
    assert str(picture) in told.replace("\n", "")
    assert picture.is_file()
