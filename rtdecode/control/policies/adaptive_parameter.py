"""Policy `adaptive_parameter`: holds the score at a target by changing a protocol parameter."""

import math
from enum import StrEnum

from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import PresentationScore, PresentationScores, Screen
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.control import Acknowledgement, ActionName, Result
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

_PATIENCE = 3
"""Presentations that are scored without an acknowledgement before a value is set again."""


class Direction(StrEnum):
    """How the score depends on the parameter."""

    RISING = "rising"
    FALLING = "falling"


class Scale(StrEnum):
    """On which scale steps are made."""

    LINEAR = "linear"
    LOG = "log"


class Staircase:
    """Stochastic approximation of the value at which a noisy measurement has a given mean.

    Robbins & Monro (1951, Annals of Mathematical Statistics 22, 400) with the steps of Kesten
    (1958, ibid. 29, 41), which shrink only when the error changes its sign:

        x[n+1] = x[n] − s a (y[n] − target) / (1 + m[n]),

    with the measurement y[n] at x[n], the gain a, s = 1 for a rising and −1 for a falling
    dependence, and the number m[n] of sign changes so far. The step has a lower limit, so that it
    follows slow drifts; the value then scatters about the target and does not converge to it. For
    measurements on a continuous scale this needs fewer trials than up-down rules, which use their
    sign alone (Treutwein 1995, Vision Research 35, 2503).

    Parameters
    ----------
    start
        First value.
    low, high
        Range of the values.
    target
        Mean of the measurement that is sought.
    gain
        a: change of the value, or of its natural logarithm, for each unit of error.
    smallest_gain
        Lower limit of a / (1 + m), at most `gain`.
    direction
        Sign of the dependence.
    scale
        linear, or log for steps of the natural logarithm of the value.
    """

    def __init__(
        self,
        start: float,
        *,
        low: float,
        high: float,
        target: float,
        gain: float,
        smallest_gain: float,
        direction: Direction,
        scale: Scale,
    ) -> None:
        self.value = start
        self._low, self._high, self._target = low, high, target
        self._gain, self._smallest_gain = gain, smallest_gain
        self._sign = 1 if direction is Direction.RISING else -1
        self._scale = scale
        self._sign_changes = 0
        self._error_before = 0.0

    def add(self, measured: float) -> float:
        """The next value, after `measured` at the present one."""
        error = measured - self._target
        if error * self._error_before < 0:
            self._sign_changes += 1
        self._error_before = error or self._error_before
        gain = max(self._gain / (1 + self._sign_changes), self._smallest_gain)
        step = -self._sign * gain * error
        moved = self.value * math.exp(step) if self._scale is Scale.LOG else self.value + step
        self.value = min(max(moved, self._low), self._high)
        return self.value


class AdaptiveParameter:
    """Sets a parameter of the protocol so that presentations have a video_r of `target`.

    The first value is set when the controller is armed. Each later one follows from the mean score
    of `presentations` presentations (trials) that began after the value before took effect.

    Parameters
    ----------
    parameter
        Name of the parameter in the protocol.
    target
        video_r that is held.
    start, low, high
        First value and range of the parameter.
    gain
        Change of the parameter, or of its logarithm, for each unit of error; see `Staircase`.
    smallest_gain
        Lower limit to which the gain shrinks; None: a fifth of `gain`.
    direction
        rising where the score rises with the parameter, else falling.
    scale
        linear or log.
    presentations
        Number of presentations that are averaged for each step.
    shortest_s
        Shortest time in s of compared frames from which a presentation is scored.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        parameter: str,
        target: float,
        start: float,
        low: float,
        high: float,
        gain: float,
        smallest_gain: float | None = None,
        direction: str = "rising",
        scale: str = "linear",
        presentations: int = 1,
        shortest_s: float = 1.0,
    ) -> None:
        check = OptionCheck("adaptive_parameter")
        self._parameter = check.text("parameter", parameter)
        self._target = check.number("target", target, low=-1, high=1)
        chosen_scale = Scale(check.one_of("scale", scale, tuple(Scale)))
        low = check.number("low", low)
        if chosen_scale is Scale.LOG:
            check.positive("low", low)
        high = check.number("high", high, low=low)
        gain = check.positive("gain", gain)
        smallest = gain / 5 if smallest_gain is None else smallest_gain
        self._staircase = Staircase(
            check.number("start", start, low=low, high=high),
            low=low,
            high=high,
            target=self._target,
            gain=gain,
            smallest_gain=check.number("smallest_gain", smallest, low=0, high=gain),
            direction=Direction(check.one_of("direction", direction, tuple(Direction))),
            scale=chosen_scale,
        )
        self._averaged = check.count("presentations", presentations)
        shortest_s = check.positive("shortest_s", shortest_s)
        self._frame_ns = round(1e9 / setting.frame_rate_hz)
        self._screen = Screen(setting.frame_rate_hz)
        self._scores = PresentationScores(
            setting.screen_mask, shortest_frames=max(1, round(shortest_s * setting.frame_rate_hz))
        )
        self._measured: list[float] = []
        self._effect_ns: int | None = None
        """Flip from which the present value is displayed; None while that is not known."""
        self._unanswered: int | None = None
        """Presentations since the value was asked for; None before arming."""

    def decide(self, observation: Observation) -> list[Request]:
        body = observation.body
        ended = None
        if isinstance(body, DisplayedFrame):
            self._screen.add(body)
        elif isinstance(body, Reconstruction):
            ended = self._scores.add(body, self._screen.at(body.t_frame_mid_ns))
        elif isinstance(body, Acknowledgement):
            self._note(body)
        if not observation.armed:
            self._unanswered, self._effect_ns, self._measured = None, None, []
            return []
        if self._unanswered is None:
            return [self._set(f"first value; the target is {self._target:g}")]
        return [] if ended is None else self._after(ended)

    def _note(self, answer: Acknowledgement) -> None:
        if answer.name != ActionName.SET_PARAMETER or answer.target != self._parameter:
            return
        if answer.result in (Result.APPLIED, Result.LATE):
            self._effect_ns, self._measured = answer.t_flip_ns, []

    def _after(self, ended: PresentationScore) -> list[Request]:
        if self._effect_ns is None:
            self._unanswered = (self._unanswered or 0) + 1
            repeats = self._unanswered > _PATIENCE
            return [self._set("set again: it was not acknowledged")] if repeats else []
        # the flip of an acknowledgement and that of the frame may differ by rounding
        if ended.t_start_ns < self._effect_ns - self._frame_ns // 2:
            return []
        if math.isfinite(ended.video_r):
            self._measured.append(ended.video_r)
        if len(self._measured) < self._averaged:
            return []
        measured = sum(self._measured) / len(self._measured)
        before = self._staircase.value
        self._staircase.add(measured)
        return [self._set(f"video_r {measured:.3f} at {before:.4g}, target {self._target:g}")]

    def _set(self, reason: str) -> Request:
        self._unanswered, self._effect_ns, self._measured = 0, None, []
        return Request.set_parameter(self._parameter, self._staircase.value, reason=reason)
