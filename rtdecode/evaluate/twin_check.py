"""Twin check: whether recorded responses follow the displayed frames as the twin predicts.

Duties: predict the responses from what was displayed, correlate prediction and recording over the
last seconds and over the run, and report when the correlation stays below half of that at training.
With neurons in another order, or another field of view, reconstructions mean nothing and look like
any others; only the displayed frames reveal it. The check must not influence the decoder: what was
displayed goes nowhere else from here. It has no socket and no clock, and its results do not depend
on how the stream is cut into batches.

>>> alarm = MismatchAlarm(seconds=2)
>>> [alarm.after(verdict, seconds=1) for verdict in (Verdict.MISMATCH, Verdict.MATCH)]
[None, None]
>>> [alarm.after(Verdict.MISMATCH, seconds=1) for _ in range(3)]
[None, <Verdict.MISMATCH: 'mismatch'>, None]
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rtdecode.evaluate.aligned_responses import F32, AlignedResponses, AlignedSegment
from rtdecode.evaluate.response_sums import F64, NoiseVariance, ResponseSums
from rtdecode.schema.errors import ShapeError
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.messages import Behaviour, DisplayedFrame, Event, Received, Responses

Predict = Callable[[F32, F32], F32]
"""(frame, row, col) grey levels and (frame, channel) behaviour → (frame, neuron) of a segment, at
each `stride`-th frame with the last one."""

SEGMENT_S = 1.0
_WINDOW_SEGMENTS = 20
_LEAST_SEGMENTS = 10
_BELOW = 0.5
_ALARM_AFTER_S = 20.0
_LEAST_EXPECTED_R = 0.1
"""Expected r below which no verdict is given on a twin without a correlation at training."""


@dataclass(frozen=True, slots=True, eq=False)
class TwinReference:
    """What is known of the agreement of a twin with the neurons that it was fitted to."""

    noise: NoiseVariance
    training_r: F64 | None = None
    """(neuron,) single-trial correlation on validation trials, NaN where there is none."""


class MismatchAlarm:
    """Gives a verdict that has lasted `seconds`, once, when it differs from the one before.

    Seconds without a verdict count neither for nor against it.
    """

    def __init__(self, *, seconds: float) -> None:
        self._needed_s, self._lasted_s = seconds, 0.0
        self._given, self._newest = Verdict.MATCH, Verdict.MATCH

    def after(self, verdict: Verdict, *, seconds: float) -> Verdict | None:
        """The verdict to report after `seconds` more with `verdict`; None where there is none."""
        if not verdict.is_given:
            return None
        self._lasted_s = seconds + (self._lasted_s if verdict is self._newest else 0.0)
        self._newest = verdict
        if verdict is self._given or self._lasted_s < self._needed_s:
            return None
        self._given = verdict
        return verdict


class TwinCheck:
    """Stage that predicts responses, one second of frames at a time, and gives a result for each.

    Parameters
    ----------
    aligned
        Cuts the streams into segments of `SEGMENT_S`.
    predict
        Activity of the frames of a segment in twin units.
    reference
        Agreement that is expected.
    frame_rate_hz
        Rate of the frame grid.
    stride
        Temporal stride of the predictions, in frames.
    every
        Of so many segments one is predicted, which bounds the cost; window and delay of the alarm
        grow accordingly.

    Raises
    ------
    ShapeError
        If responses have another number of neurons than the twin.
    """

    kinds: ClassVar = (DisplayedFrame.kind, Responses.kind, Behaviour.kind)
    """Messages that it needs; others are ignored."""

    def __init__(
        self,
        aligned: AlignedResponses,
        predict: Predict,
        *,
        reference: TwinReference,
        frame_rate_hz: float,
        stride: int = 1,
        every: int = 1,
    ) -> None:
        self._aligned, self._predict, self._reference = aligned, predict, reference
        self._stride, self._every = stride, every
        self._least_frames = round(_LEAST_SEGMENTS * SEGMENT_S * frame_rate_hz / stride)
        self._window: deque[tuple[int, ResponseSums]] = deque()
        self._alarm = MismatchAlarm(seconds=max(_ALARM_AFTER_S, every * SEGMENT_S))

    def step(self, items: Sequence[Received]) -> Iterator[ResponsePrediction | Event]:
        """Results of the seconds that `items` complete, and events where the verdict changes."""
        for item in items:
            for segment in self._aligned.add(item.message):
                if segment.number % self._every == 0:
                    yield from self._checked(segment)

    def _checked(self, segment: AlignedSegment) -> Iterator[ResponsePrediction | Event]:
        self._window.append((segment.number, self._sums(segment)))
        while self._window[0][0] <= segment.number - _WINDOW_SEGMENTS * self._every:
            self._window.popleft()
        result = self._result(last_frame=(segment.number + 1) * len(segment.activity) - 1)
        yield result
        changed = self._alarm.after(Verdict(result.verdict), seconds=self._every * SEGMENT_S)
        if changed is not None:
            yield _mismatch(result) if changed is Verdict.MISMATCH else _match(result)

    def _sums(self, segment: AlignedSegment) -> ResponseSums:
        predicted = self._predict(segment.video, segment.behaviour)
        compared = slice((len(segment.activity) - 1) % self._stride, None, self._stride)
        recorded, measured = segment.activity[compared], segment.measured[compared]
        if predicted.shape != recorded.shape:
            expected = f"one value for each neuron of the twin, {predicted.shape[1]}"
            raise ShapeError("activity", expected=expected, got=recorded)
        return ResponseSums.of(predicted, recorded, measured=measured)

    def _result(self, *, last_frame: int) -> ResponsePrediction:
        sums = ResponseSums.total([one for _, one in self._window])
        agreement = _agreement(sums, self._reference)
        enough = sums.n_frames >= self._least_frames
        return ResponsePrediction(
            r=agreement.r if enough else math.nan,
            r_training=agreement.training,
            r_expected=agreement.expected,
            verdict=(agreement.verdict() if enough else Verdict.TOO_FEW_FRAMES).value,
            n_neurons=agreement.n_neurons,
            n_frames=sums.n_frames,
            window_s=_WINDOW_SEGMENTS * self._every * SEGMENT_S,
            frame=last_frame,
            every=self._every,
        )


@dataclass(frozen=True, slots=True)
class _Agreement:
    """Correlations over the same neurons, each a mean."""

    r: float
    training: float
    """NaN where unknown."""
    expected: float
    n_neurons: int

    def verdict(self) -> Verdict:
        """Compare r with half of that at training, or of that expected where it is lower.

        Low contrast on the screen lowers the correlation of any twin, so the threshold follows the
        expectation of the noise model, down to half of the correlation at training.
        """
        known = math.isfinite(self.training)
        if not self.expected >= (_BELOW * self.training if known else _LEAST_EXPECTED_R):
            return Verdict.CONSTANT_SCREEN
        usual = min(self.training, self.expected) if known else self.expected
        return Verdict.MISMATCH if self.r < _BELOW * usual else Verdict.MATCH


def _agreement(sums: ResponseSums, reference: TwinReference) -> _Agreement:
    """Means over neurons with an expectation whose recorded activity varies; r is 0 without any."""
    r, expected = sums.pearson_r(), sums.expected_r(reference.noise)
    training = reference.training_r
    compared = np.isfinite(expected)
    if training is not None:
        compared &= np.isfinite(training)
    varying = compared & np.isfinite(r)
    counted = varying if varying.any() else compared
    return _Agreement(
        r=_mean(r[varying]) if varying.any() else 0.0,
        training=math.nan if training is None else _mean(training[counted]),
        expected=_mean(expected[compared]),
        n_neurons=int(counted.sum()),
    )


def _mean(values: F64) -> float:
    return float(values.mean()) if values.size else math.nan


def reference_text(result: ResponsePrediction) -> str:
    """The correlation with which r is compared, in words."""
    if math.isfinite(result.r_training):
        return f"{result.r_training:.2f} at training"
    return f"{result.r_expected:.2f} expected by the noise model"


def _mismatch(result: ResponsePrediction) -> Event:
    text = (
        f"recorded responses do not follow the displayed frames: the single-trial r of the twin's "
        f"prediction is {result.r:.2f} ({reference_text(result)}), so reconstructions are not "
        f"valid. Likely causes: ROIs of another day or in another order than those of the twin, "
        f"drift of the field of view, a shift of the eye or of the screen. Check calcium.rois and "
        f"decode.twin, the mean image and the eye, or fit the twin to this recording with "
        f"`rtdecode fit twin`"
    )
    return Event("alarm", process="evaluate", code="twin_mismatch", text=text)


def _match(result: ResponsePrediction) -> Event:
    text = (
        f"recorded responses follow the displayed frames again: the single-trial r of the twin's "
        f"prediction is {result.r:.2f} ({reference_text(result)})"
    )
    return Event("info", process="evaluate", code="twin_match", text=text)
