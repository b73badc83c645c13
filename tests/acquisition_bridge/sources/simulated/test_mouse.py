"""The simulated mouse: time, late frames, each neuron at its own sampling time."""

import numpy as np

from acquisition_bridge.sources.simulated.mouse import STEPS_HZ, Mouse
from rtdecode.schema.config.acquisition import SimulatedSource

CONFIG = SimulatedSource(neurons=50, rows_px=64, cols_px=64, rate_hz=20.0)


def mouse(run_seed: int = 1, *, mouse_seed: int = 1) -> Mouse:
    config = CONFIG.model_copy(update={"mouse_seed": mouse_seed})
    return Mouse(config, run_seed=run_seed, screen_px=(36, 64), t_start_ns=1_000, history_steps=12)


def test_steps_end_on_a_grid_that_never_drifts() -> None:
    made = mouse()
    made.advance_until(1_000 + 100_000_000)
    assert made.now_ns == 1_000 + 12 * 1_000_000_000 // STEPS_HZ
    made.advance_until(1_000 + 1_000_000_000)
    assert made.now_ns == 1_000 + 1_000_000_000


def test_each_neuron_is_read_at_its_own_moment() -> None:
    made = mouse()
    step_ns = 1_000_000_000 / STEPS_HZ
    history = []
    for step in range(1, 41):
        made.advance_until(1_000 + int(step * step_ns))
        history.append(made.dff_at(np.full(50, made.now_ns)))
    late = np.stack(history)
    times = (1_000 + (34 + np.linspace(0, 5, 50)) * step_ns).astype(np.int64)
    expected = [
        np.interp(t, 1_000 + np.arange(1, 41) * step_ns, late[:, n]) for n, t in enumerate(times)
    ]
    np.testing.assert_allclose(made.dff_at(times), expected, rtol=1e-3, atol=1e-5)
    assert np.ptp(late) > 0.1


def test_rates_stay_within_what_neurons_can_do() -> None:
    made = mouse()
    rng = np.random.default_rng(0)
    for frame in range(60):
        made.show(rng.integers(0, 256, (36, 64)).astype(np.uint8), frame * 33_333_333)
        made.advance_until(frame * 33_333_333)
        assert made.rates_hz.min() >= 0
        assert made.rates_hz.max() <= 80


def test_the_mouse_is_the_mouse_seed_and_the_session_the_run_seed() -> None:
    one, same_mouse, other = mouse(1), mouse(2), mouse(1, mouse_seed=2)
    np.testing.assert_array_equal(one.fields.weights, same_mouse.fields.weights)
    assert one.fields.weights.shape != other.fields.weights.shape
    for made in (one, same_mouse):
        made.advance_until(2_000_000_000)
    now = np.full(50, one.now_ns)
    assert not np.array_equal(one.dff_at(now), same_mouse.dff_at(now))
