"""The demo mouse as the subject of a study of limits: sessions of its simulated rig.

The same clips are recorded at several scan rates and with several indicators, which no recorded
session permits. Its receptive fields do not move with the pupil.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rtdecode.bench.loop import LoopSettings, RateBench, twin_folder
from rtdecode.bench.loop_pass import Batch
from rtdecode.bench.subject import INDICATOR, SCAN_RATE, Subject, Trials, Variant, identity_of
from rtdecode.decode.compute import device_name
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.demo.config import demo_config
from rtdecode.demo.simulated_session import SimulatedSession
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.offline.trial import Trial
from rtdecode.schema.config.stimulus import Display

_DECONVOLUTION_LAG = 1
"""That of the activity with which the demo mouse's twin was trained."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Clips and rigs of the demo mouse; none was used to choose a setting of the decoder."""

    clips: int = 4
    clip_s: float = 10.0
    seed: int = 7
    scan_rate_hz: float = 15.0
    decay_tau_s: float = 0.4
    other_scan_rates_hz: Sequence[float] = (8.0, 30.0)
    other_decays_s: Sequence[float] = (0.15, 1.0)


def demo_subject(settings: DemoSettings, *, device: torch.device | None = None) -> Subject:
    """The demo mouse with its packaged twin; the scans of all clips are simulated here.

    The twin computes on `device`, by default the CPU.
    """
    config = demo_config(seconds=1.0, display=Display.VIRTUAL, clips=None)
    folder = twin_folder(config)
    fitted = load_fitted_twin(folder, device=device)
    sessions = LoopSettings(
        scan_rates_hz=(), seeds=(settings.seed,), clips=settings.clips, clip_s=settings.clip_s
    )

    def recorded(rate_hz: float, decay_tau_s: float | None) -> Trials:
        bench = RateBench(config, sessions, fitted, rate_hz=rate_hz, decay_tau_s=decay_tau_s)
        (session,) = bench.sessions
        batches = list(bench.batches_of(session, _DECONVOLUTION_LAG))
        return trials_of_session(session, batches, frame_rate_hz=config.frame_rate_hz)

    mask = scoring_mask(config)
    trials = recorded(settings.scan_rate_hz, None)
    rates = [
        Variant(
            SCAN_RATE,
            rate_hz,
            f"{rate_hz:g} Hz",
            lambda rate_hz=rate_hz: recorded(rate_hz, None),  # type: ignore[misc]
            is_default=False,
        )
        for rate_hz in settings.other_scan_rates_hz
    ]
    decays = [
        Variant(
            INDICATOR,
            decay_s,
            f"decay {decay_s:g} s",
            lambda decay_s=decay_s: recorded(settings.scan_rate_hz, decay_s),  # type: ignore[misc]
            is_default=False,
        )
        for decay_s in settings.other_decays_s
    ]
    defaults = [
        Variant(group, value, name, lambda: trials, is_default=True)
        for group, value, name in (
            (SCAN_RATE, settings.scan_rate_hz, f"{settings.scan_rate_hz:g} Hz"),
            (INDICATOR, settings.decay_tau_s, f"decay {settings.decay_tau_s:g} s"),
        )
    ]
    identity = identity_of("demo mouse", [folder], mask=mask, trials=trials)
    identity |= {"device": device_name(fitted.device)}
    return Subject([fitted], mask, trials, [*defaults, *rates, *decays], identity)


def trials_of_session(
    session: SimulatedSession, batches: Sequence[Batch], *, frame_rate_hz: float
) -> list[Trial]:
    """A trial for each clip; frames for which no scan gave activity are marked as not measured."""
    frames = len(session.video)
    first = batches[0].frames[0]
    responses = np.zeros((frames, len(first.responses.activity)), np.float32)
    valid = np.zeros(responses.shape, np.bool_)
    behaviour = np.tile(first.behaviour, (frames, 1)).astype(np.float32)
    for batch in batches:
        for item in batch.frames:
            place = item.responses.frame - session.first
            if 0 <= place < frames:
                responses[place] = np.where(item.responses.valid, item.responses.activity, 0)
                valid[place], behaviour[place] = item.responses.valid, item.behaviour
    edges = range(0, frames, session.clip_frames)
    return [
        Trial(
            number,
            responses[cut],
            valid[cut],
            behaviour[cut],
            session.video[cut].astype(np.float32),
            frame_rate_hz,
        )
        for number, cut in enumerate(slice(edge, edge + session.clip_frames) for edge in edges)
    ]
