"""Faults of a recording, put into trials: what they cost is a row of the benchmark table."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtdecode.offline.trial import Trial

F32 = NDArray[np.float32]

STUCK_SHARE = 0.01
STUCK_AT = 1e4
"""In twin units; no neuron is ever that active."""
ARTEFACT_SHARE = 0.05
ARTEFACT_FACTOR = 20.0
_FRAMES_A_SCAN = 3.75
"""Of 30 Hz frames, at 8 scans a second."""

Fault = Callable[[Trial], Trial]


def without_fault(trial: Trial) -> Trial:
    """The trial as it is."""
    return trial


def with_stuck_neurons(trial: Trial) -> Trial:
    """1 % of the neurons, at least one, stuck at a huge value throughout."""
    activity = trial.responses.copy()
    count = max(1, round(STUCK_SHARE * activity.shape[1]))
    chosen = _generator(trial).choice(activity.shape[1], count, replace=False)
    activity[:, chosen] = STUCK_AT
    return replace(trial, responses=activity)


def with_scan_artefacts(trial: Trial) -> Trial:
    """5 % of the scans with all activity times 20.

    Activity at a frame is interpolated between scans, so that the factor rises and falls over one
    scan to each side.
    """
    frames = np.arange(len(trial.responses))
    scans = np.arange(0, len(frames), _FRAMES_A_SCAN)
    hit = _generator(trial).choice(scans, max(1, round(ARTEFACT_SHARE * len(scans))), replace=False)
    reach = np.clip(1 - np.abs(frames[:, None] - hit) / _FRAMES_A_SCAN, 0, 1).sum(1).clip(0, 1)
    factor = (1 + (ARTEFACT_FACTOR - 1) * reach).astype(np.float32)
    return replace(trial, responses=trial.responses * factor[:, None])


def _generator(trial: Trial) -> np.random.Generator:
    """The same faults each time; others in another trial."""
    return np.random.default_rng(trial.number)
