"""The stages of the decoder in series, from messages to reconstructions, live and in replay."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.line_offset import line_offset_px, without_line_offset
from rtdecode.decode.compute import device_name, prepare_process, usable_device
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.fitted_twin import FittedTwin, load_ensemble
from rtdecode.decode.work_control import WorkControl
from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.pipeline.planes_stage import CalciumStage
from rtdecode.pipeline.recorded_activity_stage import RecordedActivityStage
from rtdecode.pipeline.warm_up import warm_up_decoder
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import FrameRateError, SettingMissingError, TwinMissingError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Event,
    Fluorescence,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Scan,
    WindowFrame,
)
from rtdecode.schema.recorded_activity import TRIAL_ENDED, RecordedActivity
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.streams.gaps import GapWatch
from rtdecode.twins.readout import preferred_places
from rtdecode.twins.record import require_rois, twin_hash

log = logging.getLogger(__name__)
_REPORTED_OFFSET_PX = 0.5
_TRIAL_ENDED = (
    "the last frames of a trial were not decoded, as their lag goes beyond its end; the decoder "
    "was reset for the next trial"
)


class LineAligner:
    """Removes the configured displacement of every second line, and measures what is left of it.

    The mean of the first `calcium.reference_scans` scans is measured once, and a displacement of
    half a pixel or more is reported as an Event.
    """

    def __init__(self, config: CalciumConfig) -> None:
        self._offset_px = config.line_offset_px
        self._left = config.reference_scans
        self._sum: NDArray[np.float64] | None = None

    def aligned(self, item: Received, scan: Scan) -> Received:
        """`item` with the straightened pixels of its `scan`."""
        pixels = without_line_offset(scan.pixels_counts, self._offset_px)
        if self._left > 0 and (self._sum is None or self._sum.shape == pixels.shape):
            self._left -= 1
            self._sum = pixels + (0.0 if self._sum is None else self._sum)
        if pixels is scan.pixels_counts:
            return item
        straight = replace(scan, pixels_counts=pixels)
        return replace(item, message=replace(item.message, body=straight))

    def finding(self) -> Event | None:
        """The Event of a displacement, once after the last of the first scans."""
        if self._left > 0 or self._sum is None:
            return None
        left_px, self._sum = line_offset_px(self._sum), None
        if abs(left_px) < _REPORTED_OFFSET_PX:
            return None
        total_px = self._offset_px + round(left_px)
        text = (
            f"every second line of the scans is displaced by {left_px:+.1f} px (bidirectional "
            f"phase): set calcium.line_offset_px to {total_px}, or correct it at the microscope"
        )
        log.warning("%s", text)
        return Event(severity="warning", process="decoder", code="line_offset", text=text)


class DecodingStage:
    """Stage that preprocesses every scan in order, and decodes all waiting frames in one step.

    Responses are given before the estimation that uses them begins. Without a `decoder` there are
    no reconstructions. `clock` times the work on a batch; `facts` are given out first.
    """

    def __init__(
        self,
        *,
        gaps: GapWatch,
        calcium: CalciumStage,
        behaviour: BehaviourJoin,
        decoder: Decoder | None,
        clock: Clock,
        lines: LineAligner | None = None,
        facts: Sequence[Event] = (),
    ) -> None:
        self._lines, self._clock, self._facts = lines, clock, facts
        self._gaps, self._calcium = gaps, calcium
        self._behaviour, self._decoder = behaviour, decoder
        self._counts = dict.fromkeys(("scans", "responses", "reconstructions"), 0)
        self._trial: int | None = None

    def step(self, items: Sequence[Received]) -> Iterator[Body]:
        frames: list[WindowFrame] = []
        begun_ns = self._clock.now_ns()
        facts, self._facts = self._facts, ()
        yield from facts
        for item in self._gaps.step(items):
            if isinstance(item, Gap):
                yield item
                continue
            for out in self._preprocessed(item):
                if isinstance(out, Responses):
                    frames.extend(self._behaviour.step([out]))
                yield out
        if self._decoder is not None:
            for trial, of_trial in groupby(frames, key=lambda frame: frame.responses.trial):
                yield from self._trial_ended(self._decoder, before=trial)
                yield from self._decoded(self._decoder, list(of_trial), begun_ns=begun_ns)

    def _decoded(
        self, decoder: Decoder, frames: Sequence[WindowFrame], *, begun_ns: int
    ) -> Iterator[Reconstruction | Event]:
        for reconstruction in decoder.step(frames, begun_ns=begun_ns):
            self._counts["reconstructions"] += 1
            yield reconstruction
        yield from decoder.events()

    def _trial_ended(self, decoder: Decoder, *, before: int) -> Iterator[Event]:
        """Reset the decoder where another trial begins; the Event of frames without an estimate."""
        ended, self._trial = self._trial, before
        if ended in (None, before):
            return
        if left := decoder.reset():
            yield Event("info", "decoder", TRIAL_ENDED, _TRIAL_ENDED, {"frames": float(left)})

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        return {"lost": self._gaps.n_missing, **self._counts}

    def _preprocessed(self, item: Received) -> Iterator[Body]:
        body = item.message.body
        if isinstance(body, Behaviour):
            for _ in self._behaviour.step([body]):
                pass
        if isinstance(body, Scan | Fluorescence | RecordedActivity):
            self._counts["scans"] += not isinstance(body, RecordedActivity)
            if isinstance(body, Scan) and self._lines is not None:
                item = self._lines.aligned(item, body)
                if (finding := self._lines.finding()) is not None:
                    yield finding
            for out in self._calcium.step([item]):
                self._counts["responses"] += isinstance(out, Responses)
                yield out


_BEHAVIOUR_CHANNELS = 4
_FRAMES_BEYOND_WINDOW = 4
"""Frames of the warm-up after the window is full."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """The stages of the decoder, ready for the first scan."""

    stage: DecodingStage
    calcium: CalciumStage
    twin_hash: str
    """SHA-256 of the twin; empty for a run that stops at the responses."""
    places: NDArray[np.float32] | None = None
    """(neuron, 2) preferred places x and y on the screen, where the twin has them."""


def assembled(
    config: RunConfig, *, detected_by: str, clock: Clock, kept: Path | None = None
) -> Assembly:
    """Build and warm up all stages from scans to reconstructions.

    Parameters
    ----------
    kept
        As `calcium_stage` takes it.

    Raises
    ------
    TwinMissingError, TwinsDifferError
        If `config.decode` is given and names no twin, or twins that differ in more than training.
    DeviceUnavailableError
        If it asks for a GPU and there is none.
    FrameRateError
        If the twin was trained at another frame rate than the run has.
    NeuronCountError
        If the twin was trained on another number of neurons than the ROIs give.
    TwinRoisError
        If it was trained on other ROIs, compared by content.
    BadInputError
        If a file of the ROIs, the calibration or the twin cannot be used.
    """
    if isinstance(config.acquisition.source, RecordedTrialsSource):
        calcium: CalciumStage = RecordedActivityStage(clock=clock)
    else:
        calcium = calcium_stage(config, clock=clock, kept=kept)
    gaps, lines = GapWatch(detected_by=detected_by), LineAligner(config.calcium)
    if config.decode is None:
        behaviour = BehaviourJoin(np.zeros(_BEHAVIOUR_CHANNELS, np.float32))
        stage = DecodingStage(
            gaps=gaps, calcium=calcium, behaviour=behaviour, decoder=None, clock=clock, lines=lines
        )
        return Assembly(stage, calcium, twin_hash="")
    fitted = _loaded(config, config.decode, calcium)
    mean_behaviour = np.array(fitted.twin.spec.behaviour_mean, np.float32)
    _warm_up(fitted, config.decode, behaviour=mean_behaviour, clock=clock)
    stage = DecodingStage(
        gaps=gaps,
        calcium=calcium,
        behaviour=BehaviourJoin(mean_behaviour),
        decoder=fitted.decoder(config.decode, clock=clock, work_control=_work_control(config)),
        clock=clock,
        lines=lines,
        facts=[_device_event(fitted)],
    )
    whole = twin_hash(*config.decode.twin_folders)
    return Assembly(stage, calcium, whole, preferred_places(fitted.twin))


def _loaded(config: RunConfig, decode: DecodeConfig, calcium: CalciumStage) -> FittedTwin:
    """The configured twins on the configured device, compared with the run."""
    if not decode.twin_folders:
        raise TwinMissingError
    device, by = usable_device(decode.device), decode.rois_check
    prepare_process(threads=decode.threads)
    fitted = load_ensemble(
        decode.twin_folders, neurons=calcium.neurons, device=device, rois_check=by
    )
    for folder, one in zip(decode.twin_folders, (fitted, *fitted.others), strict=True):
        spec, twin = one.twin.spec, str(folder)
        require_rois(spec.rois_hash, calcium.rois_hash, by=by, twin=twin)
        if spec.frame_rate_hz != config.frame_rate_hz:
            raise FrameRateError(run_hz=config.frame_rate_hz, twin_hz=spec.frame_rate_hz, twin=twin)
    return fitted


def _device_event(fitted: FittedTwin) -> Event:
    """Event that states where the twins are inverted."""
    text = f"the processor that inverts the twin is the {device_name(fitted.device)}"
    counts = {"twins": float(fitted.members)}
    return Event("info", "decoder", "decoder_device", text, counts)


def response_latency_s(config: RunConfig) -> float:
    """Longest time in s from the middle of a frame to the end of the scan that completes it.

    A scan completes the frames before its beginning; the deconvolution waits for `lag_scans` more.
    Raises SettingMissingError where the scan rate is not configured.
    """
    if isinstance(config.acquisition.source, RecordedTrialsSource):
        return 0.5 / config.frame_rate_hz  # the activity of a frame is sent at its end
    rate_hz = config.acquisition.source.scan_rate_hz
    if rate_hz is None:
        reason = "the times at which reconstructed frames are due follow from it"
        raise SettingMissingError(setting="acquisition.source.scan_rate_hz", reason=reason)
    return (2 + config.calcium.lag_scans) * config.calcium.planes / rate_hz


def _work_control(config: RunConfig) -> WorkControl | None:
    """Sheds work where it exceeds the time of the frames; in a replay no work takes time."""
    if config.decode is None:
        return None
    return WorkControl(
        steps=config.decode.steps,
        members=max(1, len(config.decode.twin_folders)),
        room=config.decode.room_frames,
        period_ns=round(1e9 / config.frame_rate_hz),
        deadline_ns=round(config.decode.deadline_ms * 1e6),
    )


def _warm_up(
    fitted: FittedTwin, decode: DecodeConfig, *, behaviour: NDArray[np.float32], clock: Clock
) -> None:
    frames = decode.window_frames + _FRAMES_BEYOND_WINDOW
    neurons = fitted.twin.spec.neurons
    discarded = fitted.decoder(decode, clock=clock)
    warm_up_decoder(discarded, neurons=neurons, frames=frames, behaviour=behaviour)
