"""Policy `threshold`: acts when a quantity of the reconstruction or its score crosses a value."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.control.policies.clip_matcher import ClipMatcher
from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import seeded
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.array_files import array_of_npy
from rtdecode.schema.messages import Reconstruction, Score

_SIDES = 2
_STILL, _MOVIE = 2, 3
ANY_CLIP = "any"
"""Value of the option `clip` for a random one."""


class Quantity(StrEnum):
    """What is compared with the threshold."""

    SCORE = "score"
    """video_r of the running score."""
    UNCERTAINTY = "uncertainty"
    """Mean posterior standard deviation over rows and columns, in grey levels."""
    LUMINANCE = "luminance"
    """Mean of the reconstruction over rows and columns, in grey levels."""
    TEMPLATE = "template"
    """Correlation of the newest reconstructions with a template, at its best offset."""


class Crossing:
    """Crossings of a threshold, with hysteresis and a refractory time.

    A crossing is the first value beyond the threshold after a value that is back by more than
    `hysteresis`. One that falls into the refractory time of the crossing before is left out, also
    where the value stays beyond the threshold.

    Parameters
    ----------
    threshold
        Value that is crossed.
    sign
        1 for upward crossings, -1 for downward ones.
    hysteresis
        In the unit of the values, at least 0.
    refractory_ns
        In ns, at least 0.
    """

    def __init__(
        self, threshold: float, *, sign: int, hysteresis: float, refractory_ns: int
    ) -> None:
        self._threshold, self._sign = threshold, sign
        self._hysteresis, self._refractory_ns = hysteresis, refractory_ns
        self._beyond = False
        self._crossed_ns: int | None = None

    def add(self, value: float, t_ns: int) -> bool:
        """Whether `value`, at time `t_ns`, is a crossing."""
        over = self._sign * (value - self._threshold)
        was_beyond = self._beyond
        self._beyond = over > 0 or (was_beyond and over >= -self._hysteresis)
        if was_beyond or not self._beyond:
            return False
        rested = self._crossed_ns is None or t_ns - self._crossed_ns >= self._refractory_ns
        if rested:
            self._crossed_ns = t_ns
        return rested


class Threshold:
    """Fires an output, displays a clip, or both, when a quantity crosses a threshold.

    The first value counts as a crossing if it lies beyond the threshold. Reconstructions before the
    estimation window of the decoder is full are left out.

    Attributes
    ----------
    value
        The quantity in the newest observation; None where that does not have it.

    Parameters
    ----------
    quantity
        score, uncertainty, luminance or template.
    above, below
        Threshold of an upward or of a downward crossing; exactly one of the two.
    hysteresis
        Distance by which the quantity must return before the next crossing counts, in its unit.
    refractory_s
        Shortest time in s between two actions.
    output, clip
        Output that fires, and clip that is displayed next; at least one of the two. The clip `any`
        is a random one, by the seed.
    rows, cols
        First and last row, and column, of the region of `luminance` and `uncertainty`, both
        included; None: the scored pixels.
    template
        For `template`: name of a clip, or a .npy file with grey levels (row, col) or
        (frame, row, col).
    window_frames
        Number of reconstructions that are compared with a template at once; at most its length.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        quantity: str = "score",
        above: float | None = None,
        below: float | None = None,
        hysteresis: float = 0.0,
        refractory_s: float = 1.0,
        output: str = "",
        clip: str = "",
        rows: Sequence[int] | None = None,
        cols: Sequence[int] | None = None,
        template: str = "",
        window_frames: int = 10,
    ) -> None:
        check = OptionCheck("threshold")
        self._quantity = Quantity(check.one_of("quantity", quantity, tuple(Quantity)))
        if (above is None) == (below is None):
            raise check.wrong("above", above, expected="a value for either above or below")
        self._sign = 1 if below is None else -1
        self._threshold = check.number("above" if below is None else "below", above or below or 0.0)
        self._crossing = Crossing(
            self._threshold,
            sign=self._sign,
            hysteresis=check.number("hysteresis", hysteresis, low=0),
            refractory_ns=round(check.number("refractory_s", refractory_s, low=0) * 1e9),
        )
        if not (output or clip):
            raise check.wrong("output", output, expected="the name of an output, or a clip")
        self._output = output
        self._clips = _displayed(check, setting, clip)
        self._rng = seeded(setting.seed)
        self._region = _region(check, setting.screen_mask, rows, cols)
        self.value: float | None = None
        self._matcher: ClipMatcher | None = None
        if self._quantity is Quantity.TEMPLATE:
            frames = _template(check, setting, template)
            window_frames = min(check.count("window_frames", window_frames), len(frames))
            self._matcher = ClipMatcher(
                {template: frames}, setting.screen_mask, window_frames=window_frames
            )

    def decide(self, observation: Observation) -> list[Request]:
        self.value = value = self._value(observation)
        if value is None or not self._crossing.add(value, observation.t_ns):
            return []
        side = "above" if self._sign > 0 else "below"
        reason = f"{self._quantity} {value:.3f} {side} {self._threshold:g}"
        requests = []
        if self._output:
            requests.append(Request.trigger(self._output, value=value, reason=reason))
        if self._clips:
            clip = self._clips[int(self._rng.integers(len(self._clips)))]
            requests.append(Request.show_clip(clip, reason=reason))
        return requests

    def _value(self, observation: Observation) -> float | None:
        body = observation.body
        if isinstance(body, Score):
            is_running = self._quantity is Quantity.SCORE and not body.final
            return body.video_r if is_running and np.isfinite(body.video_r) else None
        if not isinstance(body, Reconstruction):
            return None
        if self._matcher is not None:
            return next((match.r for match in self._matcher.add(body)), None)
        return self._mean(body) if body.warm else None

    def _mean(self, decoded: Reconstruction) -> float | None:
        if self._quantity is Quantity.LUMINANCE:
            return float(decoded.luminance[self._region].mean())
        if self._quantity is Quantity.UNCERTAINTY:
            return float(decoded.uncertainty[self._region].mean())
        return None


def _displayed(check: OptionCheck, setting: PolicySetting, clip: str) -> Sequence[str]:
    """Clips of which one is displayed; empty for none."""
    if clip == ANY_CLIP:
        return setting.clips
    return [check.one_of("clip", clip, setting.clips)] if clip else []


def _region(
    check: OptionCheck,
    mask: NDArray[np.bool_],
    rows: Sequence[int] | None,
    cols: Sequence[int] | None,
) -> NDArray[np.bool_]:
    """(row, col) True for the rows and columns; the scored pixels where neither is given."""
    if rows is None and cols is None:
        return mask
    region = np.zeros_like(mask)
    row, col = (
        _span(check, "rows", rows, mask.shape[0]),
        _span(check, "cols", cols, mask.shape[1]),
    )
    region[row, col] = True
    return region


def _span(check: OptionCheck, option: str, given: Sequence[int] | None, most: int) -> slice:
    """First to last row or column, both included; all where `given` is None."""
    if given is None:
        return slice(None)
    expected = f"the first and the last one, from 0 to {most - 1}"
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != _SIDES:
        raise check.wrong(option, given, expected=expected)
    first, last = (check.count(option, one, low=0) for one in given)
    if not first <= last < most:
        raise check.wrong(option, list(given), expected=expected)
    return slice(first, last + 1)


def _template(check: OptionCheck, setting: PolicySetting, named: str) -> NDArray[np.generic]:
    """(frame, row, col) grey levels of a clip or of a .npy file."""
    named = check.text("template", named)
    if named in setting.clips:
        return setting.clip_frames(named)
    screen = setting.screen_mask.shape
    expected = f"grey levels of shape {screen}, or (frames, {screen[0]}, {screen[1]})"
    remedy = "save a template with numpy.save, or name a clip"
    found = array_of_npy(Path(named), what="template", expected=expected, remedy=remedy)
    frames = found[None] if found.ndim == _STILL else found
    if frames.ndim != _MOVIE or frames.shape[1:] != screen or not len(frames):
        got = f"a file of shape {found.shape}"
        raise check.wrong("template", got, expected=expected)
    return frames
