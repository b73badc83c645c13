"""A run that takes seconds: twenty scans of a movie with nine cells, recorded and preprocessed."""

from pathlib import Path

import numpy as np
import pytest
from small_rig import SmallRig

from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig

SCANS = 20


@pytest.fixture(scope="module")
def movie_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that run's config; its sessions go beside it."""
    folder = tmp_path_factory.mktemp("movie")
    rig = SmallRig()
    scans = [rig.bodies(number)[1].pixels_counts for number in range(SCANS)]
    (folder / "movie.raw").write_bytes(np.stack(scans).tobytes())
    rig.rois.save(folder / "masks.npz")
    rows, cols = scans[0].shape
    source = {"kind": "raw_movie", "path": folder / "movie.raw", "rows_px": rows, "cols_px": cols}
    config = RunConfig.model_validate(
        {
            "processes": ["recorder", "bridge", "decoder"],
            "acquisition": {"source": source | {"scan_rate_hz": 15.0, "speed": 10.0}},
            "calcium": {"rois": folder / "masks.npz", "reference_scans": 4, "calibration_s": 0.5},
            "decode": None,
            "record": {"folder": folder / "sessions"},
        }
    )
    write_config(config, folder / "run.yaml")
    return folder / "run.yaml"
