"""A rig so small that a run takes a moment: nine cells, and a twin of a screen of 6 x 8 px."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conducted import conducted as conducted_process
from small_rig import SmallRig

from rtdecode.schema.config import RunConfig
from rtdecode.session.replay import RecordedClock

SCREEN_PX = (6, 8)
MakeRun = Callable[..., RunConfig]


@pytest.fixture(scope="session")
def rig() -> Any:
    return SmallRig()


@pytest.fixture
def conducted() -> Any:
    """Runs the main of a process as a supervisor would; see `conducted.py`."""
    return conducted_process


@pytest.fixture
def clock() -> RecordedClock:
    """Time stands still."""
    return RecordedClock()


@pytest.fixture
def twin_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a linear twin, with prior and noise."""
    # torch takes seconds to import, and few tests of this folder need it
    import torch

    from rtdecode.decode.noise import even_noise, save_noise
    from rtdecode.decode.prior import fit_prior, save_prior
    from rtdecode.twins.folder import save_twin
    from rtdecode.twins.linear import Linear
    from rtdecode.twins.twin import TwinSpec

    def made(*, neurons: int = 9, seed: int = 1) -> Path:
        name = f"twin{neurons}" + (f"_{seed}" if seed > 1 else "")
        folder, neutral = tmp_path / name, (3.0, 20.0, 1.0, 2.0)
        twin = Linear(
            TwinSpec("linear", neurons, *SCREEN_PX, behaviour_mean=neutral, sizes={"taps": 2})
        )
        twin.temporal.data = torch.tensor([[0.4, 0.6]])
        weights = np.random.default_rng(seed).normal(0, 0.1, (neurons, *SCREEN_PX))
        twin.spatial.data = torch.from_numpy(weights).float()
        save_twin(twin, folder)
        steps = np.random.default_rng(0).normal(0, 9, (80, *SCREEN_PX))
        save_prior(fit_prior([128 + np.cumsum(steps, 0)]), folder)
        save_noise(even_noise(neurons), folder)
        return folder

    return made


@pytest.fixture
def small_run(tmp_path: Path, rig: Any) -> MakeRun:
    """Makes the config of a run on the small rig, with or without a twin."""
    rig.rois.save(tmp_path / "masks.npz")

    rois, screen = tmp_path / "masks.npz", {"rows_px": SCREEN_PX[0], "cols_px": SCREEN_PX[1]}

    def made(twin: Path | None, *more: Path, **other: object) -> RunConfig:
        twins = {"twins": (twin, *more)} if more else {"twin": twin}
        window = {**twins, "window_frames": 8, "lag_frames": 2, "deadline_ms": 1e6}
        sections = {
            "acquisition": {"source": {"kind": "raw_movie", "scan_rate_hz": 15.0}},
            "stimulus": {"clips": tmp_path, **screen},
            "calcium": {"rois": rois, "reference_scans": 4, "calibration_s": 0.5},
            "decode": twin and window,
        }
        return RunConfig.model_validate(sections | other)

    return made
