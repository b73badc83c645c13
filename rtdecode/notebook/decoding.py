"""The decoder in a notebook: activity in, frames out, one for each push."""

from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtdecode.notebook.twin import Twin, load_twin
from rtdecode.offline.reconstruct import online_config
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Reconstruction, Responses, WindowFrame

F32 = NDArray[np.float32]


class Decoder:
    """The decoder of a live run, for activity that is given frame by frame.

    It takes all its steps, however long they last: the result depends on the activity alone.

    Parameters
    ----------
    twin
        A loaded twin, or its folder.
    lag_frames
        Fixed lag: a frame is given out this many frames after its own activity. A larger lag gives
        a better estimate, later.
    steps
        Optimisation steps of each frame.
    config
        All settings of the decoder, as section `decode` of a session's config has them, in place of
        `lag_frames` and `steps`.

    Raises
    ------
    MissingFileError, UnreadableFileError
        As `load_twin`, where a folder is given.

    Examples
    --------
    Decode the activity of a session again, with another lag:

        decoder = rtdecode.Decoder(rtdecode.load_twin("twin"), lag_frames=12)
        frames = [decoder.push(activity) for activity in session.activity.values]
    """

    def __init__(
        self,
        twin: Twin | str | PathLike[str],
        lag_frames: int = 8,
        *,
        steps: int = 3,
        config: DecodeConfig | None = None,
    ) -> None:
        self.twin = twin if isinstance(twin, Twin) else load_twin(twin)
        self.config = config or online_config(lag_frames=lag_frames, steps=steps)
        self._grid = FrameGrid(self.twin.frame_rate_hz)
        self.reset()

    @property
    def lag_frames(self) -> int:
        """Frames from a reconstructed frame to the newest activity; negative for a forecast."""
        return self.config.output_lag_frames

    def reset(self) -> None:
        """Discard all activity: the next push is the first frame."""
        self._decoder = self.twin.fitted.unhurried_decoder(self.config)
        self._pushed, self._scans = 0, 0
        self.last: Reconstruction | None = None
        """The newest reconstruction, with its uncertainty, its frame, counted from 0 at the first
        push, and `warm`, which is False until the estimation window is full."""

    def push(self, activity: ArrayLike, behaviour: ArrayLike | None = None) -> F32 | None:
        """Add the activity of the next frame.

        Parameters
        ----------
        activity
            (neuron,) in twin units; NaN for neurons that were not measured in this frame.
        behaviour
            (channel,) running in cm/s, pupil diameter, and pupil centre x and y in px; by default
            the mean of the twin's training.

        Returns
        -------
        numpy.ndarray or None
            (row, col) the frame `lag_frames` earlier in grey levels; None for the first
            `lag_frames`.

        Raises
        ------
        ShapeError
            If the activity is not that of the twin's neurons, or the behaviour has other channels.
        """
        found = np.asarray(activity, np.float32)
        if found.ndim != 1:
            raise ShapeError("activity", expected=f"({self.twin.neurons},), (neuron,)", got=found)
        channels = None if behaviour is None else np.asarray(behaviour, np.float32)[None]
        frames = self.push_batch(found[None], channels)
        return frames[-1] if len(frames) else None

    def push_batch(self, activity: ArrayLike, behaviour: ArrayLike | None = None) -> F32:
        """Add several frames of one scan, and improve the estimate once for all of them.

        So does the live decoder where the microscope is slower than the screen: each scan completes
        more than one frame.

        Parameters
        ----------
        activity
            (frame, neuron) as for `push`.
        behaviour
            (frame, channel) as for `push`.

        Returns
        -------
        numpy.ndarray
            (frame, row, col) the frames that became due, in grey levels; empty before the first.

        Raises
        ------
        ShapeError
            As `push`.
        """
        found = np.array(activity, np.float32, ndmin=2)
        neurons = self.twin.neurons
        if found.ndim != 2 or found.shape[1] != neurons:  # noqa: PLR2004
            expected = f"{neurons} neurons, as the twin has"
            raise ShapeError("activity", expected=expected, got=found)
        channels = self.twin.behaviour(behaviour, len(found))
        items = [self._window_frame(*one) for one in zip(found, channels, strict=True)]
        self._scans += 1
        due = self._decoder.step(items)
        self.last = due[-1] if due else self.last
        shape = (len(due), *self.twin.screen_px)
        return np.stack([one.luminance for one in due]) if due else np.zeros(shape, np.float32)

    def _window_frame(self, activity: F32, behaviour: F32) -> WindowFrame:
        start_ns, frame = self._grid.start_ns(self._pushed), self._pushed
        self._pushed += 1
        valid = np.isfinite(activity)
        scan_ns = self._grid.start_ns(self._scans)
        responses = Responses(
            activity=np.where(valid, activity, np.float32(0)),
            valid=valid,
            frame=frame,
            t_frame_start_ns=start_ns,
            t_scan_ns=scan_ns,
            t_scan_end_ns=scan_ns,
            t_received_ns=start_ns,
            t_ready_ns=start_ns,
        )
        return WindowFrame(responses, behaviour)

    def __repr__(self) -> str:
        return (
            f"<decoder of {self.twin!r}, lag {self.lag_frames} frames, {self.config.steps} steps, "
            f"{self._pushed} frames pushed>"
        )
