"""Motion of the brain: size, limit, seed."""

import numpy as np

from acquisition_bridge.sources.simulated.scope import Motion


def moved(sd_px: float, *, running_cm_s: float = 0.0, scans: int = 9000) -> np.ndarray:
    made = Motion(np.random.default_rng(1), sd_px=sd_px, limit_px=3.0, period_s=1 / 15)
    return np.array([made.next_shift_px(running_cm_s) for _ in range(scans)])


def test_its_size_is_the_one_asked_for() -> None:
    assert 0.4 < moved(1.0).std() < 1.4
    assert (moved(0.0) == 0).all()


def test_it_stays_within_the_limit() -> None:
    assert np.abs(moved(8.0)).max() == 3.0


def test_running_shakes_more() -> None:
    calm, shaken = (np.diff(moved(1.0, running_cm_s=v), axis=0).std() for v in (0.0, 20.0))
    assert shaken > 2 * calm
