"""Makes the twin check of a config, for the process `evaluate` and for recorded sessions.

It reads the twin, its noise model and its record of the training, joins behaviour to frames as the
decoder does, and keeps torch out of `rtdecode.evaluate`.
"""

import json
import logging
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rtdecode.decode.noise import Noise, load_noise
from rtdecode.evaluate.aligned_responses import F32, AlignedResponses, TwinInput
from rtdecode.evaluate.response_sums import F64, NoiseVariance
from rtdecode.evaluate.twin_check import SEGMENT_S, TwinCheck, TwinReference
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.streams.behaviour_join import BehaviourJoin
from rtdecode.twins.folder import load_twin
from rtdecode.twins.record import DESCRIPTION, TRAINING_REPORT
from rtdecode.twins.twin import TailTwin, Twin, predict_tail

log = logging.getLogger(__name__)
_COSTLY_S, _SHARE = 0.3, 0.1
"""A prediction that takes longer, for one second of frames, is made so seldom that it takes this
share of a processor core."""
_TIMED = 3


class ResponsePredictor:
    """Activity that a twin predicts for the frames of a segment, from numpy arrays to numpy arrays.

    Parameters
    ----------
    twin
        A frozen twin.
    noise
        The noise model of its neurons.
    training_r
        (neuron,) its single-trial correlation at training; None where that is unknown.
    """

    def __init__(self, twin: Twin, noise: Noise, training_r: F64 | None) -> None:
        self._twin, spec = twin, twin.spec
        self.reference = TwinReference(_noise_variance(noise), training_r)
        # frames in between are redundant, and cost as much
        self.stride = twin.temporal_stride if isinstance(twin, TailTwin) else 1
        self.neutral = np.array(spec.behaviour_mean, np.float32)
        self.needs = TwinInput(spec.history_frames, spec.future_frames)
        self.segment_frames = max(1, round(SEGMENT_S * spec.frame_rate_hz))
        self._screen = (spec.rows_px, spec.cols_px)

    @torch.inference_mode()
    def __call__(self, video: F32, behaviour: F32) -> F32:
        """(frame, neuron) in twin units of each `stride`-th frame of the segment, with its last."""
        tensors: tuple[Tensor, Tensor] = (torch.from_numpy(video), torch.from_numpy(behaviour))
        frames, future = len(video) - self.needs.history_frames, self.needs.future_frames
        inputs = (each[None] for each in tensors)
        # a twin that needs later frames has no stride
        predicted = predict_tail(self._twin, *inputs, frames=frames, stride=self.stride)[0]
        made: F32 = predicted[: len(predicted) - future].numpy()
        return made

    def every(self, clock: Clock) -> int:
        """Of how many segments one can be predicted at the permitted cost."""
        frames = self.needs.history_frames + self.segment_frames + self.needs.future_frames
        grey = np.full((frames, *self._screen), 128, np.float32)
        behaviour = np.repeat(self.neutral[None], frames, 0)
        costs_s = list[float]()
        for _ in range(_TIMED):
            begun_ns = clock.now_ns()
            self(grey, behaviour)
            costs_s.append((clock.now_ns() - begun_ns) / 1e9)
        cost_s = min(costs_s)
        return 1 if cost_s <= _COSTLY_S else math.ceil(cost_s / (_SHARE * SEGMENT_S))


def response_predictor(config: RunConfig) -> ResponsePredictor | None:
    """The predictor of the configured twin, of several the first; None where it is not here.

    Raises UnreadableFileError and MissingFileError as `load_twin` does.
    """
    folder = None if config.decode is None else next(iter(config.decode.twin_folders), None)
    if folder is None or not (folder / DESCRIPTION).is_file():
        return None
    twin = load_twin(folder)
    neurons = twin.spec.neurons
    noise, r = load_noise(folder, neurons=neurons), training_r(folder, neurons=neurons)
    return ResponsePredictor(twin, noise, r)


def twin_check(predictor: ResponsePredictor, *, frame_rate_hz: float, every: int = 1) -> TwinCheck:
    """A twin check that has not seen any frame yet."""
    aligned = AlignedResponses(
        FrameGrid(frame_rate_hz),
        BehaviourJoin(predictor.neutral),
        segment_frames=predictor.segment_frames,
        needs=predictor.needs,
    )
    return TwinCheck(
        aligned,
        predictor,
        reference=predictor.reference,
        frame_rate_hz=frame_rate_hz,
        stride=predictor.stride,
        every=every,
    )


def training_r(folder: Path, *, neurons: int) -> F64 | None:
    """(neuron,) single-trial correlation that `rtdecode fit twin` measured, NaN where it could not.

    None where the folder has no record of it, as with imported twins, or an unusable one.
    """
    path = folder / TRAINING_REPORT
    try:
        found = json.loads(path.read_bytes())["single_trial_r_of_neuron"]
        r = np.array(found, np.float64)  # None becomes NaN
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("the record of the training %s cannot be used: %s", path, error)
        return None
    return r if r.shape == (neurons,) and np.isfinite(r).any() else None


def _noise_variance(noise: Noise) -> NoiseVariance:
    """Variance of each neuron with the shared part, eqs. (3) and (4): φ (f + 0.3 φ) (1 + |L|²)."""
    slope = (noise.dispersion * (1 + noise.shared.square().sum(1))).double().numpy()
    return NoiseVariance(slope, slope * noise.floor.double().numpy())
