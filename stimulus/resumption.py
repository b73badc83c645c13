"""Where playback is, kept while it runs, and how a stimulus that was started again goes on.

A clip that was interrupted is not shown again: playback continues with the next clip of the same
order, because the decoder and the animal need a beginning. The numbers of frames, which the
photodiode sees in the sync patch, continue, and a pause remains one. Flips stay on the one frame
grid, which follows from the host's clock.
"""

import json
from collections.abc import Mapping

from rtdecode.runtime.progress import KeptMessages, Progress
from rtdecode.schema.messages import Event
from stimulus.playback import CommandState
from stimulus.playlist import MovieFrame

NAMES = ("clip", "frame", "t_flip_ns", "paused")
"""What a progress file keeps: place of the clip in the playlist, number of the frame, its flip."""
_NS_PER_S = 1e9


class Resumption:
    """The position to begin at, and the position that is kept.

    Parameters
    ----------
    progress
        The file of the position.
    before
        The position before a restart; None at the first start.
    """

    def __init__(self, progress: Progress, before: Mapping[str, int] | None) -> None:
        self._progress, self._before = progress, before
        self.first_clip = 0 if before is None else before["clip"] + 1
        """Place in the playlist of the first clip to show."""
        self.first_frame = 0 if before is None else before["frame"] + 1
        """Number of the first frame to show."""
        self.starts_paused = before is not None and bool(before["paused"])

    def keep(self, number: int, frame: MovieFrame, t_flip_ns: int, commands: CommandState) -> None:
        """Keep the position of the frame `number`, which was flipped at `t_flip_ns`."""
        self._progress.write(frame.place, number, t_flip_ns, commands.paused)

    def event(self, t_flip_ns: int) -> Event | None:
        """The Event of a restart, at its first flip; None after that, and without a restart."""
        before, self._before = self._before, None
        if before is None:
            return None
        seconds = max(0.0, (t_flip_ns - before["t_flip_ns"]) / _NS_PER_S)
        text = "the stimulus was started again and continued with the next clip of its order"
        return Event("warning", "stimulus", "stimulus_restarted", text, {"seconds": seconds})


class KeptParameters:
    """Parameters of the protocol that commands have set, for a restart.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "stimulus.parameters"
    ...     KeptParameters(KeptMessages(path, slots=1)).write({"contrast": 0.5})
    ...     KeptParameters(KeptMessages(path, slots=1)).read()
    {'contrast': 0.5}
    """

    def __init__(self, kept: KeptMessages) -> None:
        self._kept = kept

    def read(self) -> dict[str, float]:
        """The parameters that were in effect; empty where none was set."""
        parameters: dict[str, float] = json.loads(self._kept.read().get(0, b"{}"))
        return parameters

    def write(self, parameters: Mapping[str, float]) -> None:
        """Keep `parameters`, as far as they have room."""
        data = json.dumps(dict(parameters)).encode()
        if len(data) <= self._kept.longest:
            self._kept.write(0, data)
