"""Warm-up of calcium chain and decoder, so that the first frames of a run are not late."""

import time

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.decode.decoder import Decoder
from rtdecode.schema.config.calcium import CalciumConfig, Registration
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received, Responses, Scan, Stamped, WindowFrame

_SIDE_PX = 48
"""Enough for a block of `registration: blocks` and the margins around it."""
_SCANS = 6
_REACH_PX = 4.0
_PERIOD_NS = 66_666_667
_LONGEST_S = 10.0
_DETECTORS = (np.uint16, np.int16)


def warm_up_calcium(clock: Clock, *, registration: Registration) -> None:
    """Carry synthetic scans of a small field through a chain that is then discarded.

    Loading the compiled loops takes up to two seconds, by which the first frames of a run would
    be late. They are compiled for each pixel type and for read-only arrays, which is what the
    codec returns.
    """
    noise = np.random.default_rng(0).poisson(50, (_SIDE_PX, _SIDE_PX))
    for kind in _DETECTORS:
        pixels = noise.astype(kind)
        pixels.flags.writeable = False
        reference = mean_of_aligned([pixels, pixels], max_shift_px=_REACH_PX)
        chain = _small_chain(reference, clock, registration)
        for number in range(_SCANS):
            start_ns = number * _PERIOD_NS
            scan = Scan(pixels, number, 0, start_ns, start_ns + _PERIOD_NS)
            for _ in chain.step([Received(Stamped("warm-up", number, 0, "host", scan), 0)]):
                pass


def warm_up_decoder(
    decoder: Decoder, *, neurons: int, frames: int, behaviour: NDArray[np.float32]
) -> None:
    """Give `decoder`, which is then discarded, `frames` frames of zero activity.

    After 10 s of processor time no more are given: what follows is as slow with a large network.

    Parameters
    ----------
    frames
        More than a window has, so that every code path and allocation of a run is exercised.
    behaviour
        (channel,) mean behaviour of the twin's training data; each frame gets it.
    """
    begun_s = time.process_time()
    for frame in range(frames):
        responses = Responses(
            activity=np.zeros(neurons, np.float32),
            valid=np.ones(neurons, np.bool_),
            frame=frame,
            t_frame_start_ns=0,
            t_scan_ns=0,
            t_scan_end_ns=0,
            t_received_ns=0,
            t_ready_ns=0,
        )
        decoder.step([WindowFrame(responses, behaviour)])
        if time.process_time() - begun_s > _LONGEST_S:
            return


def _small_chain(
    reference: NDArray[np.float32], clock: Clock, registration: Registration
) -> CalciumChain:
    """A chain of two overlapping cells, which exercises demixing too."""
    cells = [np.arange(400, 420), np.arange(410, 430)]
    rois = rois_from_lists((_SIDE_PX, _SIDE_PX), [(cell, np.ones(len(cell))) for cell in cells])
    plain = np.ones(len(cells), np.float32)
    calibration = Calibration(
        reference_counts=reference,
        scan_rate_hz=1e9 / _PERIOD_NS,
        baseline_counts=plain,
        neuropil_counts=plain,
        noise=plain,
        decay_tau_s=plain,
        activity_quantiles=np.zeros((len(cells), 2), np.float32),
        activity_mean=plain,
        activity_sd=plain,
    )
    return CalciumChain(
        CalciumConfig(registration=registration),
        rois=rois,
        grid=FrameGrid(1e9 / _PERIOD_NS),
        scan_rate_hz=None,
        reference=None,
        calibration=calibration,
        clock=clock,
    )
