"""Access to the live decoder's horizon does not change its output."""

from collections.abc import Callable

import numpy as np

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.solver import Solver
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import advance_one_frame, inverted_windows
from rtdecode.schema.config.decode import DecodeConfig

CONFIG = DecodeConfig(window_frames=8, estimated_frames=6, lag_frames=2, steps=2)
Watch = Callable[..., Trial]


def test_the_frames_at_the_lag_are_the_live_video(linear_mouse: FittedTwin, watch: Watch) -> None:
    shown, lag = watch(pace=3.0), CONFIG.lag_frames
    live = Online([linear_mouse], CONFIG).video(shown)
    for newest, solver in inverted_windows(linear_mouse, CONFIG, shown):
        if newest >= lag:
            seen, _ = solver.result(back=lag)
            np.testing.assert_allclose(seen[0], live[newest - lag], atol=1e-3)


def test_each_frame_has_its_horizon_and_its_preparation(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    begun: list[Solver] = []

    def counted(solver: Solver) -> None:
        begun.append(solver)
        advance_one_frame(solver)

    shown = watch()
    seen = [number for number, _ in inverted_windows(linear_mouse, CONFIG, shown, begin=counted)]
    assert seen == list(range(len(shown.responses)))
    assert len(begun) == len(seen)
