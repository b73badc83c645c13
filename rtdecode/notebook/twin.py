"""A trained twin in a notebook: what it is, and the activity that it predicts."""

import json
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.screen_mask import read_screen_mask
from rtdecode.offline.screen_masks import MASK_FILE
from rtdecode.offline.trial import predicted_activity
from rtdecode.schema.errors import ShapeError
from rtdecode.twins.record import TRAINING_REPORT
from rtdecode.twins.twin import TwinSpec

F32 = NDArray[np.float32]
_VIDEO_AXES = 3


class Twin:
    """A twin (encoding model) with the prior, the noise model and the uncertainty of its decoder.

    `load_twin` makes it.

    Examples
    --------
    Activity that the twin predicts for the frames that were displayed:

        twin = rtdecode.load_twin("twin")
        predicted = twin.predict(session.displayed.of_clip("waves").values)
    """

    def __init__(self, folder: Path, fitted: FittedTwin) -> None:
        self.folder, self.fitted = folder, fitted

    @property
    def spec(self) -> TwinSpec:
        """Everything about the twin that is not a weight."""
        return self.fitted.twin.spec

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return self.spec.neurons

    @property
    def screen_px(self) -> tuple[int, int]:
        """(row, col) size of its frames."""
        return self.spec.rows_px, self.spec.cols_px

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second of its video, and of the activity that is decoded."""
        return self.spec.frame_rate_hz

    @property
    def single_trial_r(self) -> NDArray[np.float64]:
        """(neuron,) correlation with recorded activity on validation trials, at its training.

        NaN for each neuron where the twin has no record of it.
        """
        try:
            report = json.loads((self.folder / TRAINING_REPORT).read_text(encoding="utf-8"))
            found = np.array(report["single_trial_r_of_neuron"], np.float64)
        except (OSError, ValueError, KeyError, TypeError):
            found = np.empty(0)
        return found if found.shape == (self.neurons,) else np.full(self.neurons, np.nan)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(row, col) screen mask of its folder, True for scored pixels; all True without one."""
        path = self.folder / MASK_FILE
        return read_screen_mask(path if path.is_file() else None, shape=self.screen_px)

    def predict(self, video: ArrayLike, behaviour: ArrayLike | None = None) -> F32:
        """Activity that the twin expects, without noise.

        Parameters
        ----------
        video
            (frame, row, col) in grey levels, 0 to 255.
        behaviour
            (frame, channel) running in cm/s, pupil diameter, and pupil centre x and y in px; by
            default the mean of the twin's training.

        Returns
        -------
        numpy.ndarray
            (frame, neuron) in twin units. The first `spec.history_frames` lack a part of their
            history.

        Raises
        ------
        ShapeError
            If an array has another shape.
        """
        frames = np.ascontiguousarray(video, np.float32)
        if frames.ndim != _VIDEO_AXES or frames.shape[1:] != self.screen_px:
            raise ShapeError("video", expected=f"(frame, row, col) of {self.screen_px}", got=frames)
        return predicted_activity(self.fitted.twin, frames, self.behaviour(behaviour, len(frames)))

    def behaviour(self, given: ArrayLike | None, frames: int) -> F32:
        """(frame, channel) `given`, or the mean of the twin's training for each frame."""
        shape = (frames, len(self.spec.behaviour_channels))
        if given is None:
            return np.tile(np.array(self.spec.behaviour_mean, np.float32), (frames, 1))
        found = np.ascontiguousarray(given, np.float32)
        if found.shape != shape:
            raise ShapeError("behaviour", expected=f"{shape}, (frame, channel)", got=found)
        return found

    def __repr__(self) -> str:
        rows, cols = self.screen_px
        r = self.single_trial_r
        known = f", single-trial r {np.nanmean(r):.2f}" if np.isfinite(r).any() else ""
        return (
            f"<{self.spec.architecture} twin {self.folder}: {self.neurons} neurons, "
            f"{rows} x {cols} px, {self.frame_rate_hz:g} Hz{known}>"
        )


def load_twin(path: str | PathLike[str]) -> Twin:
    """Read a twin that `rtdecode fit twin`, `rtdecode import-twin` or `fit_twin` wrote.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
    Twin
        The twin, ready to predict and to decode.

    Raises
    ------
    MissingFileError, UnreadableFileError, NotFiniteWeightsError
        If a file of the folder is missing or damaged.

    Examples
    --------
    A twin, its size and its screen:

        twin = rtdecode.load_twin("twin")
        twin.neurons, twin.screen_px
    """
    folder = Path(path).expanduser()
    return Twin(folder, load_fitted_twin(folder))
