"""What the stimulus can display on command: clips by name, parameters of the protocol, frames.

Duties: check a command against it, and decode clips in a second thread, so that no flip waits for a
file. A clip that was decoded stays in memory.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.control import Action, ActionName
from rtdecode.schema.errors import RtdecodeError, ShapeError, UnknownCommandError
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.priority import leave_real_time

Frames = NDArray[np.uint8]
"""(frame, row, col) grey levels."""
KNOWN = [name.value for name in ActionName if name.is_for_stimulus]


@dataclass(slots=True)
class CommandedClip:
    """Frames that a command displays, one after the other."""

    frames: Frames
    trial: DisplayedTrial
    _n_displayed: int = 0

    def following(self, place: int) -> MovieFrame | None:
        """The next frame, at the place of the movie's last one; None after the last."""
        index = self._n_displayed
        if index == len(self.frames):
            return None
        self._n_displayed += 1
        return MovieFrame(self.trial.stimulus, index, self.frames[index], place, self.trial)


class Repertoire:
    """Clips, parameters and the size of frames of one run.

    Parameters
    ----------
    decoded
        Gives the (frame, row, col) frames of a clip by its name; raises an error for a wrong one.
    require_parameter
        Raises an error where the protocol has no such parameter, or cannot have its value.
    size_px
        Rows and columns of a frame.

    >>> def decoded(name: str) -> Frames:
    ...     return np.full((2, 3, 4), len(name), np.uint8)
    >>> with Repertoire(decoded, lambda name, value: None, size_px=(3, 4)) as repertoire:
    ...     while (frames := repertoire.clip("leaves")) is None:
    ...         pass
    ...     frames.shape, int(frames[0, 0, 0])
    ((2, 3, 4), 6)
    """

    def __init__(
        self,
        decoded: Callable[[str], Frames],
        require_parameter: Callable[[str, float], None],
        *,
        size_px: tuple[int, int],
    ) -> None:
        self._decoded, self._require_parameter, self._size_px = decoded, require_parameter, size_px
        self._clips: dict[str, Future[Frames]] = {}
        # decoding of whole clips must not take a core from the processes that decode activity
        self._worker = ThreadPoolExecutor(1, "clip-decoder", initializer=leave_real_time)

    def load(self, names: Sequence[str]) -> None:
        """Begin to decode the clips of these names."""
        for name in names:
            self._begun(name)

    def clip(self, name: str) -> Frames | None:
        """The frames of a clip; None while it is decoded. Raises an error for a wrong name."""
        decoding = self._begun(name)
        if not decoding.done():
            return None
        try:
            return decoding.result()
        except RtdecodeError:
            del self._clips[name]
            raise

    def mistake(self, action: Action) -> str | None:
        """Why `action` cannot be carried out at any time; None where it can."""
        try:
            if action.name not in KNOWN:
                raise UnknownCommandError(got=action.name, known=KNOWN)
            if action.name == ActionName.SHOW_CLIP:
                self.clip(action.target)
            elif action.name == ActionName.SET_PARAMETER:
                self._require_parameter(action.target, action.value)
            elif action.name == ActionName.SHOW_FRAMES:
                self._require_frames(action.frames)
        except RtdecodeError as error:
            return str(error)
        return None

    def _require_frames(self, frames: Frames) -> None:
        rows, cols = self._size_px
        if not len(frames) or frames.shape[1:] != (rows, cols):
            expected = f"the shape (frames, {rows}, {cols}) with at least one frame"
            raise ShapeError("frames", expected=expected, got=frames)

    def _begun(self, name: str) -> Future[Frames]:
        if name not in self._clips:
            self._clips[name] = self._worker.submit(self._decoded, name)
        return self._clips[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._worker.shutdown(cancel_futures=True)
