"""`rtdecode bench resolution`: which spatial and temporal scales a reconstruction contains.

As in Bauer, Margrie & Clopath (eLife 2026, 10.7554/eLife.105081), the twin predicts the activity of
Gaussian noise and of gratings, and the decoder inverts it. Activity is thus simulated: without
noise it shows what twin and inversion can resolve, with the noise model what a recording can.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.paired_rows import PairedRows, Report, scores_of
from rtdecode.bench.resolution_stimuli import drifting_grating, gaussian_noise
from rtdecode.bench.result_file import KeptRows, Row
from rtdecode.bench.simulated_activity import noise_free, simulated
from rtdecode.bench.subject import Subject
from rtdecode.offline.methods import Method, Offline, Online
from rtdecode.offline.reconstruct import OFFLINE_ITERATIONS, online_config
from rtdecode.offline.trial import Trial

F32 = NDArray[np.float32]

NOISE, GRATING = "noise", "grating"
NOISE_FREE, NOISY = "noise-free", "with noise"
ONLINE, OFFLINE = "online", "offline"
_HALF_TURN_DEG = 180.0


@dataclass(frozen=True, slots=True)
class ResolutionSettings:
    """The displays, and the decoder that inverts their activity."""

    spaces_px: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
    """SD of the spatial Gaussian of the noise."""
    times_frames: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
    """SD of the temporal Gaussian of the noise."""
    cycles_px: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
    drifts_hz: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0)
    clips: int = 3
    """Draws of the noise, and directions of the gratings."""
    frames: int = 90
    """Length of a clip, of which the first 30 frames are not scored."""
    lag_frames: int = 8
    steps: int = 3
    offline_iterations: int = OFFLINE_ITERATIONS
    seed: int = 11


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One class of displays: noise of a scale, or gratings of a frequency."""

    kind: str
    space: float
    """SD in px of noise; cycles a pixel of gratings."""
    time: float
    """SD in frames of noise; drift in Hz of gratings."""


def bench_resolution(
    subject: Subject, settings: ResolutionSettings, json_file: Path, *, report: Report
) -> list[Row]:
    """Compute all rows, keep each in `json_file`, and return them.

    Each stimulus has four rows: online and offline, noise-free and with noise. Online rows have the
    paired difference to the offline row of the same activity.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        If `json_file` holds rows of other settings, or is damaged; it is not changed.
    """
    kept = KeptRows(json_file, name="resolution", config=subject.identity | asdict(settings))
    stimuli = list(stimuli_of(settings))
    rows = PairedRows(kept, total=4 * len(stimuli), report=report)
    fitted = subject.fitted
    methods: dict[str, Method] = {
        OFFLINE: Offline([fitted], iterations=settings.offline_iterations),
        ONLINE: Online(
            [fitted], online_config(lag_frames=settings.lag_frames, steps=settings.steps)
        ),
    }
    for stimulus in stimuli:
        shown = _once(lambda stimulus=stimulus: list(displays(stimulus, subject, settings)))  # type: ignore[misc]
        _add_rows(rows, stimulus, shown, subject, methods)
    return kept.rows


def stimuli_of(settings: ResolutionSettings) -> Iterator[Stimulus]:
    """All classes of noise, then all classes of gratings."""
    for space in settings.spaces_px:
        yield from (Stimulus(NOISE, space, time) for time in settings.times_frames)
    for cycles in settings.cycles_px:
        yield from (Stimulus(GRATING, cycles, drift) for drift in settings.drifts_hz)


def displays(stimulus: Stimulus, subject: Subject, settings: ResolutionSettings) -> Iterator[Trial]:
    """The clips of one stimulus, at mean behaviour; their activity is still to be simulated."""
    spec = subject.fitted.twin.spec
    shape = (settings.frames, spec.rows_px, spec.cols_px)
    behaviour = np.tile(np.array(spec.behaviour_mean, np.float32), (settings.frames, 1))
    nothing = np.zeros((settings.frames, spec.neurons), np.float32)
    for clip in range(settings.clips):
        if stimulus.kind == NOISE:
            rng = np.random.default_rng([settings.seed, clip])
            video = gaussian_noise(
                shape, space_px=stimulus.space, time_frames=stimulus.time, rng=rng
            )
        else:
            video = drifting_grating(
                shape,
                cycles_px=stimulus.space,
                drift_hz=stimulus.time,
                direction_deg=clip * _HALF_TURN_DEG / settings.clips,
                frame_rate_hz=spec.frame_rate_hz,
            )
        valid = np.ones(nothing.shape, np.bool_)
        yield Trial(clip, nothing, valid, behaviour, video, spec.frame_rate_hz)


def _add_rows(
    rows: PairedRows,
    stimulus: Stimulus,
    shown: Callable[[], list[Trial]],
    subject: Subject,
    methods: dict[str, Method],
) -> None:
    fitted = subject.fitted
    inputs: dict[str, Callable[[Trial], Trial]] = {
        NOISE_FREE: lambda trial: noise_free(fitted, trial),
        NOISY: lambda trial: simulated(fitted, trial, draw=0),
    }
    for activity, change in inputs.items():
        fields = asdict(stimulus) | {"activity": activity}
        for name, method in methods.items():
            rows.add(
                f"{stimulus.kind} {stimulus.space:.3g}, {stimulus.time:.3g}, {activity}, {name}",
                fields | {"method": name},
                lambda change=change, method=method: scores_of(  # type: ignore[misc]
                    method, map(change, shown()), subject.mask
                ),
                compared_with=fields | {"method": OFFLINE} if name == ONLINE else None,
            )


def _once(make: Callable[[], list[Trial]]) -> Callable[[], list[Trial]]:
    """`make`, computed when it is first needed and kept."""
    return lru_cache(maxsize=1)(make)
