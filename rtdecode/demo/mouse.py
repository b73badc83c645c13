"""Making of the demo mouse that ships with the project: twin, ROIs, calibration, screen mask.

Clips of the train split are displayed to the simulated rig; its scans pass through the calcium
chain of the live system, faster than real time, and the twin is trained on the resulting activity.
Trials of the tier `test` display clips of the show split, which take no part in the training.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.rois import Rois, rois_from_lists
from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import TRAIN, VALIDATION, Segment
from rtdecode.demo.recording import Recording
from rtdecode.offline.published_mask import fit_transparency
from rtdecode.offline.screen_masks import OPTIMISED_FROM, save_mask
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import TooShortError, UnreadableFileError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.train.training import Outcome
from rtdecode.train.twin_fit import fit_compact
from rtdecode.twins.folder import load_twin
from stimulus.clips import Clip, Split, embedded_clips

TEST = "test"
MASKS_FILE = "masks.npz"
CALIBRATION_FILE = "calibration.npz"
SCORING_MASK_FILE = "mask.npy"
_FRAME_RATE_HZ = 30.0
"""Frame rate at which the demo mouse is recorded and its twin trained."""
_GRID = FrameGrid(_FRAME_RATE_HZ)
_CLIP_S = 10.0
_SPARE_CLIPS = 2
_FIRST_FRAME = 300
_HALF_FRAME_NS = 1_000_000_000 // 60
_MASK_STEPS = 1000
_SCORED_FROM = OPTIMISED_FROM
"""Receptive fields cover nearly the whole screen, so no pixel reaches the published threshold."""
_TRAINING_LAG_SCANS = 1
"""The twin is trained on activity that the next scan has refined, whatever a live run waits for."""
_NEUTRAL = np.array([0, 30, 0, 0], np.float32)


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Number of trials in each tier, their duration, and the seed of the whole making."""

    train: int = 40
    validation: int = 4
    test: int = 4
    seed: int = 1
    trial_s: float = 30.0
    calibration_s: float = 60.0

    @property
    def trial_frames(self) -> int:
        """Number of frames of a trial."""
        return round(self.trial_s * _FRAME_RATE_HZ)


@dataclass(frozen=True, slots=True)
class DemoRig:
    """The simulated rig and the calcium chain of the live demo, with the clock of the chain."""

    source: SimulatedSource
    calcium: CalciumConfig
    clock: Clock

    def chain(self, rois: Rois, calibration: Calibration | None) -> CalciumChain:
        """A new calcium chain; with `calibration` None it calibrates itself first."""
        return CalciumChain(
            self.calcium,
            rois=rois,
            grid=_GRID,
            scan_rate_hz=self.source.scan_rate_hz,
            reference=None,
            calibration=calibration,
            clock=self.clock,
        )


def record_demo_session(
    folder: Path, rig: DemoRig, plan: DemoPlan, *, report: Callable[[int, int], None]
) -> tuple[Rois, Calibration]:
    """Record a session of the simulated mouse into `folder`, in the Sensorium layout.

    Parameters
    ----------
    folder
        Folder to write; must be empty.
    rig
        Simulated rig and calcium chain.
    plan
        Number and duration of trials, and the seed.
    report
        Called with the trials done and their total.

    Returns
    -------
    The ROIs of the simulated neurons and the calibration of the chain.
    """
    source = rig.source
    rois = rois_from_lists(
        (source.rows_px, source.cols_px), SimulatedMicroscope(source, plan.seed).footprints()
    )
    calibration = _calibration(rig, rois, plan)
    writer = SessionWriter(folder)
    tiers = [TRAIN] * plan.train + [VALIDATION] * plan.validation + [TEST] * plan.test
    done = 0
    for split, run_seed, count in (
        (Split.TRAIN, 3 * plan.seed + 1, plan.train + plan.validation),
        (Split.SHOW, 3 * plan.seed + 2, plan.test),
    ):
        chain = rig.chain(rois, calibration)
        recording = Recording(chain, BehaviourJoin(_NEUTRAL), frames=plan.trial_frames)
        trials = _trials(recording, source, split, run_seed, seconds=count * plan.trial_s)
        for trial in islice(trials, count):
            writer.add(trial, tier=tiers[done])
            done += 1
            report(done, len(tiers))
    return rois, calibration


def demo_rig(config: Path, *, neurons: int | None, clock: Clock) -> DemoRig:
    """The simulated rig and the calcium chain of the demo config, with `neurons` if not None.

    Raises
    ------
    UnreadableFileError
        If the config does not use the simulated rig.
    """
    run = read_config(config)
    source = run.acquisition.source
    if not isinstance(source, SimulatedSource):
        raise UnreadableFileError(
            what="demo config", path=config, expected="source.kind simulated", got=source.kind
        )
    if neurons is not None:
        source = source.model_copy(update={"neurons": neurons})
    calcium = run.calcium.model_copy(update={"deconvolution_lag_scans": _TRAINING_LAG_SCANS})
    return DemoRig(source, calcium, clock)


def make_demo_mouse(
    out: Path,
    session: Path,
    rig: DemoRig,
    plan: DemoPlan,
    *,
    config: TrainingConfig,
    work: Work = UNSEEN,
) -> Outcome:
    """Record a session into `session`, train on it and write the files of the demo mouse to `out`.

    `work` receives each part.
    """
    work.begun("recording")
    rois, calibration = record_demo_session(session, rig, plan, report=work.report)
    out.mkdir(parents=True, exist_ok=True)
    rois.save(out / MASKS_FILE)
    calibration.save(out / CALIBRATION_FILE)
    data = SensoriumFolder(session)
    outcome = fit_compact(
        data,
        out,
        config,
        clock=rig.clock,
        report=lambda now: work.report(now.step, now.steps),
        work=work,
    )
    work.begun("scoring mask")
    alpha = fit_transparency(
        load_twin(out),
        data,
        steps=_MASK_STEPS,
        seed=config.seed,
        report=lambda done: work.report(done, _MASK_STEPS),
    )
    save_mask(alpha, out / SCORING_MASK_FILE, scored_from=_SCORED_FROM)
    return outcome


def _calibration(rig: DemoRig, rois: Rois, plan: DemoPlan) -> Calibration:
    """Calibration from a separate short run with clips of the train split."""
    calcium = rig.calcium.model_copy(update={"calibration_s": plan.calibration_s})
    chain = replace(rig, calcium=calcium).chain(rois, None)
    recording = Recording(chain, BehaviourJoin(_NEUTRAL), frames=plan.trial_frames)
    run = _trials(recording, rig.source, Split.TRAIN, 3 * plan.seed, seconds=plan.calibration_s)
    deque(run, maxlen=0)
    if chain.calibration is None:
        raise TooShortError(what="the calibration run", frames=0, needed=plan.trial_frames)
    return chain.calibration


def _trials(
    recording: Recording, source: SimulatedSource, split: Split, run_seed: int, *, seconds: float
) -> Iterator[Segment]:
    """Trials of a run of at least `seconds` in which clip follows clip."""
    rng = np.random.default_rng([run_seed, 5])
    start_ns = _GRID.start_ns(_FIRST_FRAME) - int(rng.integers(_HALF_FRAME_NS, 5 * _HALF_FRAME_NS))
    rig = SimulatedMicroscope(source, run_seed, t_start_ns=start_ns)
    clips = _SPARE_CLIPS + int(seconds / _CLIP_S)
    made = embedded_clips(
        split, count=clips, seconds=_CLIP_S, seed=run_seed, frame_rate_hz=_FRAME_RATE_HZ
    )
    displayed = displayed_frames(made, rng)
    for frame, (luminance, phase_ns) in enumerate(displayed, start=_FIRST_FRAME):
        yield from _measured(recording, rig, luminance, frame=frame, phase_ns=phase_ns)


def displayed_frames(
    clips: Iterator[Clip], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Each displayed frame, and the offset in ns of its flip from the start of its grid frame.

    The refresh of a real screen is not aligned with the grid; each clip has a random offset.
    """
    for clip in clips:
        phase_ns = int(rng.integers(-_HALF_FRAME_NS, _HALF_FRAME_NS))
        for luminance in clip.frames:
            yield luminance, phase_ns


def _measured(
    recording: Recording,
    rig: SimulatedMicroscope,
    luminance: NDArray[np.uint8],
    *,
    frame: int,
    phase_ns: int,
) -> Iterator[Segment]:
    """Display one frame, and record the measurements up to the earliest time of the next flip."""
    recording.show(frame, luminance)
    rig.show(luminance, _GRID.start_ns(frame) + phase_ns)
    yield from recording.add_measurements(
        rig.advance_to(_GRID.start_ns(frame + 1) - _HALF_FRAME_NS)
    )
