"""The animal's state: bounds, seeds, and its effect on rates."""

import numpy as np

from acquisition_bridge.sources.simulated.behaviour import Behaviour

STEP_S = 1 / 60


def animal(run_seed: int) -> Behaviour:
    mouse, run = np.random.default_rng(0), np.random.default_rng(run_seed)
    return Behaviour(mouse, run, neurons=300, step_s=STEP_S)


def lived(run_seed: int, steps: int = 60 * 240) -> np.ndarray:
    """(step, 4): running, pupil diameter, pupil x, pupil y."""
    made, seen = animal(run_seed), []
    for _ in range(steps):
        made.advance()
        seen.append([made.running_cm_s, made.pupil_diameter_px, *made.pupil_center_px])
    return np.array(seen)


def test_it_rests_and_runs_and_never_backwards() -> None:
    running = lived(1)[:, 0]
    assert running.min() >= 0
    assert 0.1 < (running > 3).mean() < 0.8
    assert running.max() < 60


def test_the_pupil_widens_with_running() -> None:
    running, pupil = lived(1)[:, :2].T
    assert np.corrcoef(running[:-60], pupil[60:])[0, 1] > 0.4
    assert pupil.min() > 0


def test_gaze_wanders_about_two_pixels() -> None:
    gaze = lived(2)[:, 2:]
    assert ((gaze.std(0) > 1) & (gaze.std(0) < 3.5)).all()


def test_running_raises_most_rates() -> None:
    made = animal(1)
    np.testing.assert_allclose(made.gain(), 1, rtol=1e-6)
    made.running_cm_s, made.pupil_diameter_px = 20.0, 44.0
    assert (made.gain() > 1).mean() > 0.8


def test_the_same_seed_lives_the_same_life() -> None:
    np.testing.assert_array_equal(lived(4, 200), lived(4, 200))
    assert not np.array_equal(lived(4, 200), lived(5, 200))
