"""The simulated rig as a source in real time."""

from typing import Any

import numpy as np

from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from acquisition_bridge.sources.simulated.source import SimulatedSource
from rtdecode.schema.config.acquisition import SimulatedSource as SimulatedConfig
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Scan

CONFIG = SimulatedConfig(neurons=30, rows_px=64, cols_px=64, scan_rate_hz=10.0, run_seed=4)
FRAME = np.random.default_rng(1).integers(0, 256, (36, 64)).astype(np.uint8)


def test_live_it_gives_what_the_rig_gives_moved_to_host_time(clock: Any) -> None:
    source = SimulatedSource(CONFIG, screen_px=(36, 64), clock=clock)
    begun_ns = clock.now_ns()
    source.begin(begun_ns)
    source.show(DisplayedFrame("clip", 0, FRAME, begun_ns + 50_000_000, 1))
    live = []
    while clock.now_ns() < begun_ns + 500_000_000:
        live.extend(source.measured_until(clock.now_ns() + 50_000_000))
    rig = SimulatedMicroscope(CONFIG, 4)
    rig.show(FRAME, 50_000_000)
    offline = list(rig.advance_to(500_000_000))
    assert [type(body) for body in live] == [type(body) for body in offline]
    for one, other in zip(live, offline, strict=True):
        if isinstance(one, Scan) and isinstance(other, Scan):
            assert one.t_end_ns == other.t_end_ns + begun_ns
            np.testing.assert_array_equal(one.pixels_counts, other.pixels_counts)
        elif isinstance(one, Behaviour) and isinstance(other, Behaviour):
            assert one.t_sample_ns == other.t_sample_ns + begun_ns
    assert source.health() == {"scans": 5, "late_frames": 0}
    assert not source.ended
    source.close()


def test_it_gives_nothing_before_its_time(clock: Any) -> None:
    source = SimulatedSource(CONFIG, screen_px=(36, 64), clock=clock)
    source.begin(clock.now_ns() + 1_000_000_000)
    assert source.measured_until(clock.now_ns() + 50_000_000) == ()


def test_what_was_shown_before_the_beginning_is_on_the_screen(clock: Any) -> None:
    source = SimulatedSource(CONFIG, screen_px=(36, 64), clock=clock)
    begun_ns = clock.now_ns()
    source.begin(begun_ns)
    source.show(DisplayedFrame("clip", 0, FRAME, begun_ns - 700_000_000, 1))
    while clock.now_ns() < begun_ns + 100_000_000:
        source.measured_until(clock.now_ns() + 50_000_000)
    assert source.health()["late_frames"] == 0
