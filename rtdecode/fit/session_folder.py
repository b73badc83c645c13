"""Writes a session in the layout that `fit.datasets.sensorium` reads, trial by trial."""

from pathlib import Path

import numpy as np

from rtdecode.fit.datasets.video_session import Stretch
from rtdecode.schema.errors import FolderNotEmptyError


class SessionWriter:
    """A growing session folder.

    Parameters
    ----------
    folder
        Made if it is not there; FolderNotEmptyError if it holds anything.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise FolderNotEmptyError(folder=folder)
        for kind in ("videos", "responses", "behavior", "pupil_center"):
            (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "meta" / "trials").mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tiers: list[str] = []

    def add(self, trial: Stretch, *, tier: str) -> None:
        """Write the next trial; the folder is complete after each."""
        running, pupil, x, y = trial.behaviour.T
        arrays = {
            "videos": np.moveaxis(trial.video, 0, -1).astype(np.uint8),
            "responses": trial.responses.T,
            "behavior": np.stack([pupil, running]),
            "pupil_center": np.stack([x, y]),
        }
        for kind, array in arrays.items():
            path = self._folder / "data" / kind / f"{len(self._tiers)}.npy"
            np.save(path, np.ascontiguousarray(array))
        self._tiers.append(tier)
        np.save(self._folder / "meta" / "trials" / "tiers.npy", np.array(self._tiers))
