"""Runs as their processes would have sent them, written by the project's own recorder."""

from collections import Counter
from pathlib import Path

import numpy as np

from rtdecode.runtime.codec import pack
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, Body, Responses, ShownFrame, Stamped
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import RecordedClock

GRID = FrameGrid(30.0)
FIRST = 4_000_000
"""Frame of the grid at which runs begin: a machine that has been up for a day and a half."""
NEURONS, ROWS, COLS = 12, 12, 16
Array, Told = np.ndarray, np.ndarray | None


class Run:
    """A session that grows frame by frame; every value tells what and where it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.frame = folder, FIRST
        self._recorder = Recorder(folder, flush_s=1.0, clock=RecordedClock())
        self._seq: Counter[str] = Counter()

    def say(self, source: str, body: Body) -> None:
        stream = f"{source}/{body.kind}"
        message = Stamped(source, self._seq[stream], GRID.start_ns(self.frame), "host", body)
        self._seq[stream] += 1
        self._recorder.write(pack(message), message, message.t_ns)

    def show(self, clip: str, index: int, luminance: Array) -> None:
        flip_ns = GRID.start_ns(self.frame)
        self.say("stimulus", ShownFrame(clip, index, luminance.astype(np.uint8), flip_ns, 1))

    def behave(self) -> None:
        now = float(self.frame - FIRST)
        center = np.array([now + 2, now + 3], np.float32)
        self.say("bridge", Behaviour(GRID.start_ns(self.frame), now, now + 1, center))

    def answer(self, activity: Array, valid: Array) -> None:
        told, times_ns = activity.astype(np.float32), [GRID.start_ns(self.frame)] * 5
        if valid.any():
            self.say("decoder", Responses(told, valid, self.frame, *times_ns))

    def clip(
        self, name: str, video: Array, *, activity: Told = None, valid: Told = None, first: int = 0
    ) -> None:
        """Show `video` from its frame `first` on, while neurons say which frame it is."""
        for index in range(first, len(video)):
            self.show(name, index, video[index])
            self.behave()
            told = np.arange(NEURONS) / 16 + self.frame - FIRST
            seen = np.ones(NEURONS, bool) if valid is None else valid[index]
            self.answer(told if activity is None else activity[index], seen)
            self.frame += 1

    def end(self) -> Path:
        """A last flip, which tells how long the frame before it stayed, and the index."""
        self.show("grey", 0, np.full((ROWS, COLS), 128))
        self._recorder.close()
        return self.folder
