"""Simulated behaviour: running in bouts, pupil and gaze, and a slow gain shared by all neurons."""

import math

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.receptive_fields import F32

_BOUT_STARTS_HZ, _BOUT_ENDS_HZ = 1 / 12.0, 1 / 7.0
_RUNNING_TAU_S, _PUPIL_TAU_S, _GAZE_TAU_S, _SHARED_TAU_S = 0.6, 1.5, 2.0, 15.0
_PUPIL_REST_PX = 32.0
_GAZE_SD_PX = 2.0
_SHARED_LOG_SD = 0.15


class Behaviour:
    """The animal's state in steps of `step_s`, and the gain that it applies to each neuron's rate.

    Attributes
    ----------
    running_cm_s, pupil_diameter_px
        Current running speed and pupil diameter.
    pupil_center_px
        (2,) float32, x and y of the pupil; receptive fields do not depend on it.
    """

    def __init__(
        self,
        mouse_rng: np.random.Generator,
        run_rng: np.random.Generator,
        *,
        neurons: int,
        step_s: float,
    ) -> None:
        self._rng = run_rng
        self._step_s = step_s
        self._run_weight = mouse_rng.normal(0.020, 0.012, neurons).astype(np.float32)
        self._pupil_weight = mouse_rng.normal(0.015, 0.012, neurons).astype(np.float32)
        self._shared_weight = mouse_rng.uniform(0.4, 1.6, neurons).astype(np.float32)
        self._goal_cm_s = 0.0
        self._shared = 0.0
        self.running_cm_s = 0.0
        self.pupil_diameter_px = _PUPIL_REST_PX
        self.pupil_center_px = np.zeros(2, np.float32)

    def advance(self) -> None:
        """Advance by one step."""
        chance, noise = self._rng.random(2), self._rng.normal(size=5)
        self._choose_goal(chance)
        goal = self._goal_cm_s
        wobble = (0.8 if goal else 0.02) * noise[0]
        # the noise grows with the square root of the step, as of a Wiener process
        running = _towards(self.running_cm_s, goal, self._step_s / _RUNNING_TAU_S)
        self.running_cm_s = max(0.0, running + wobble * math.sqrt(self._step_s) * 4)
        wide = _PUPIL_REST_PX + 0.6 * self.running_cm_s
        pupil = _towards(self.pupil_diameter_px, wide, self._step_s / _PUPIL_TAU_S)
        self.pupil_diameter_px = max(5.0, pupil + 2.5 * math.sqrt(self._step_s) * noise[1])
        self.pupil_center_px = self._wandered(
            self.pupil_center_px, noise[2:4], tau_s=_GAZE_TAU_S, sd=_GAZE_SD_PX
        )
        self._shared = float(
            self._wandered(self._shared, noise[4], tau_s=_SHARED_TAU_S, sd=_SHARED_LOG_SD)
        )

    def gain(self) -> F32:
        """(neuron,) factor on each neuron's firing rate, 1 at rest."""
        log_gain = self._run_weight * np.float32(self.running_cm_s)
        log_gain += self._pupil_weight * np.float32(self.pupil_diameter_px - _PUPIL_REST_PX)
        log_gain += self._shared_weight * np.float32(self._shared)
        gain: F32 = np.exp(log_gain)
        return gain

    def _choose_goal(self, chance: NDArray[np.float64]) -> None:
        if self._goal_cm_s and chance[0] < _BOUT_ENDS_HZ * self._step_s:
            self._goal_cm_s = 0.0
        elif not self._goal_cm_s and chance[0] < _BOUT_STARTS_HZ * self._step_s:
            self._goal_cm_s = 5.0 + 20.0 * float(chance[1])

    def _wandered(
        self, now: F32 | float, noise: NDArray[np.float64] | float, *, tau_s: float, sd: float
    ) -> F32:
        """One step of an Ornstein-Uhlenbeck process with standard deviation `sd`.

        x[t+1] = a x[t] + sd sqrt(1 - a²) e[t] with a = exp(-step / tau) and e[t] standard normal.
        """
        kept = math.exp(-self._step_s / tau_s)
        return np.float32(kept) * now + np.float32(sd * math.sqrt(1 - kept * kept)) * np.asarray(
            noise, np.float32
        )


def _towards(now: float, goal: float, share: float) -> float:
    return now + min(share, 1.0) * (goal - now)
