"""Looking into the live decoder's inverter changes nothing of what it gives."""

from collections.abc import Callable

import numpy as np

from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.solver import Solver
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Trial
from rtdecode.offline.windows import inverted_windows, moved_on
from rtdecode.schema.config.decode import DecodeConfig

CONFIG = DecodeConfig(window_frames=8, estimated_frames=6, lag_frames=2, steps=2)
Watch = Callable[..., Trial]


def test_what_is_seen_is_the_live_video(linear_mouse: FittedTwin, watch: Watch) -> None:
    shown, lag = watch(pace=3.0), CONFIG.lag_frames
    live = Online([linear_mouse], CONFIG).video(shown)
    for newest, inverter in inverted_windows(linear_mouse, CONFIG, shown):
        if newest >= lag:
            seen, _ = inverter.result(back=lag)
            np.testing.assert_allclose(seen[0], live[newest - lag], atol=1e-3)


def test_each_frame_has_its_window_and_its_beginning(
    linear_mouse: FittedTwin, watch: Watch
) -> None:
    begun: list[Solver] = []

    def counted(inverter: Solver) -> None:
        begun.append(inverter)
        moved_on(inverter)

    shown = watch()
    seen = [number for number, _ in inverted_windows(linear_mouse, CONFIG, shown, begin=counted)]
    assert seen == list(range(len(shown.responses)))
    assert len(begun) == len(seen)
