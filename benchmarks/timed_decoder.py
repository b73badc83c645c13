"""A decoder that is timed frame by frame on random activity, for `growth.py` and `compare.py`.

`compare.py` runs it with the code of other revisions, so that it calls only what these have too.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import rtdecode
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.messages import Responses, WindowFrame

TWIN = Path(rtdecode.__file__).parent / "demo_mouse"
"""Folder of the twin that is packaged with the code that runs."""
F32 = NDArray[np.float32]
_NO_DEADLINE_MS = 1e9
_NS_PER_MS = 1e6


def settings(*, steps: int = 3, lag_frames: int = 8, **others: int) -> DecodeConfig:
    """Settings of a decoder without a deadline, in a window of 36 frames by default."""
    given = {"window_frames": 36, "deadline_ms": _NO_DEADLINE_MS, **others}
    return DecodeConfig.model_validate({"steps": steps, "lag_frames": lag_frames, **given})


class TimedDecoder:
    """A decoder with its random input, and the durations of its frames.

    Attributes
    ----------
    wall_ms, cpu_ms
        Wall-clock and processor time of each frame since the last `reset`.
    videos
        (row, col) grey levels of each reconstruction so far.
    """

    def __init__(self, fitted: FittedTwin, config: DecodeConfig) -> None:
        self._decoder = fitted.decoder(config, clock=HostClock())
        self._spec = fitted.twin.spec
        self._behaviour = np.array(self._spec.behaviour_mean, np.float32)
        self._rng = np.random.default_rng(0)
        self._warm_up = config.window_frames + config.steps
        self._frame = 0
        self.wall_ms: list[float] = []
        self.cpu_ms: list[float] = []
        self.videos: list[F32] = []

    def warm_up(self) -> None:
        """Fill the horizon, and discard the durations."""
        self.run(self._warm_up)
        self.wall_ms, self.cpu_ms = [], []

    def run(self, frames: int) -> None:
        """Decode `frames` more frames."""
        for item in [self._item() for _ in range(frames)]:
            wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
            made = self._decoder.step([item])
            self.cpu_ms.append((time.process_time_ns() - cpu_ns) / _NS_PER_MS)
            self.wall_ms.append((time.perf_counter_ns() - wall_ns) / _NS_PER_MS)
            self.videos += [one.luminance for one in made]

    def _item(self) -> WindowFrame:
        neurons, self._frame = self._spec.neurons, self._frame + 1
        responses = Responses(
            activity=self._rng.exponential(size=neurons).astype(np.float32),
            valid=np.ones(neurons, np.bool_),
            frame=self._frame,
            t_frame_start_ns=0,
            t_scan_ns=0,
            t_scan_end_ns=0,
            t_received_ns=0,
            t_ready_ns=0,
        )
        return WindowFrame(responses, self._behaviour)
