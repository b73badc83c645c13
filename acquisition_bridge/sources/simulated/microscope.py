"""The simulated mouse and microscope for demo and tests: frames in, scans and behaviour out."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from acquisition_bridge.sources.simulated.mouse import STEPS_HZ, Mouse
from acquisition_bridge.sources.simulated.receptive_fields import F32, I32
from acquisition_bridge.sources.simulated.scope import Motion, Scope
from acquisition_bridge.sources.simulated.tissue import Tissue, footprints, grow_tissue
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.messages import Behaviour, Scan

_NS_PER_S = 1_000_000_000
_UNBLEACHABLE = 0.6


class SimulatedMicroscope:
    """A simulated rig in simulated time; the same calls and seeds give the same bytes.

    Each frame is shown with `show`, at most 16 ms of simulated time after the flip; `advance_to`
    returns the measurements, in real time or faster::

        rig = SimulatedMicroscope(SimulatedSource(), run_seed=1)
        for k, frame in enumerate(frames):              # (36, 64) uint8
            rig.show(frame, round(k * 1e9 / 30))
            for body in rig.advance_to(round((k + 1) * 1e9 / 30)):
                ...                                     # Scan | Behaviour, in order of time

    Scan k starts at t_start_ns + k / scan_rate_hz and ends at the start of scan k + 1; a cell in
    row r is sampled after the fraction (r + 0.5) / rows_px of that interval. A scan is due at its
    end, a sample of behaviour at its own time. The result does not depend on the steps of
    `advance_to`.

    Parameters
    ----------
    config
        The rig; all properties of the mouse follow from it and `config.mouse_seed`.
    run_seed
        Seed of the random numbers of this session: spikes, behaviour, motion, photons.
    screen_px
        Rows and columns of the frames that will be shown.
    t_start_ns
        Start of the first scan.
    """

    def __init__(
        self,
        config: SimulatedSource,
        run_seed: int,
        *,
        screen_px: tuple[int, int] = (36, 64),
        t_start_ns: int = 0,
    ) -> None:
        period_s = 1 / config.scan_rate_hz
        self._config = config
        self._t_start_ns = t_start_ns
        self._tissue = _tissue(config)
        self._mouse = Mouse(
            config,
            run_seed=run_seed,
            screen_px=screen_px,
            t_start_ns=t_start_ns,
            history_steps=math.ceil(period_s * STEPS_HZ) + 3,
        )
        motion_seed, photon_seed = np.random.SeedSequence([run_seed, 2]).spawn(2)
        self._motion = Motion(
            np.random.default_rng(motion_seed),
            sd_px=config.motion_px,
            limit_px=self._tissue.pad_px - 2.0,
            period_s=period_s,
        )
        self._scope = Scope(self._tissue, np.random.default_rng(photon_seed))
        row = self._tissue.center_px[:, 0] - self._tissue.pad_px
        self._phase = (row + 0.5) / config.rows_px
        self._scans = 0
        self._samples = 0
        self._shift_px = np.zeros(2, np.float32)

    @property
    def mouse(self) -> Mouse:
        """The mouse, with receptive fields and firing rates that no experiment can measure."""
        return self._mouse

    @property
    def late_frames(self) -> int:
        """Number of frames shown so late that the simulated eye received them after their time."""
        return self._mouse.late_frames

    @property
    def next_due_ns(self) -> int:
        """When the next scan or sample of behaviour is due."""
        return min(self._scan_start_ns(self._scans + 1), self._sample_ns(self._samples))

    @property
    def shift_px(self) -> F32:
        """(2,) rows and columns by which the tissue of the newest scan is displaced."""
        return self._shift_px

    def show(self, luminance: NDArray[np.uint8], t_ns: int) -> None:
        """Show `luminance`, (row, col) uint8 grey levels, from `t_ns` on; raises ShapeError."""
        self._mouse.show(luminance, t_ns)

    def advance_to(self, t_ns: int) -> list[Scan | Behaviour]:
        """Advance to `t_ns`; the scans and samples of behaviour due until then, in order."""
        return list(self._due(t_ns))

    def footprints(self) -> list[tuple[I32, F32]]:
        """The ROI of each neuron without motion.

        For each neuron, flat pixel indices (row * cols_px + col), int32, and weights, float32, that
        sum to 1, inside the field of view.
        """
        return footprints(self._tissue)

    def _due(self, t_ns: int) -> Iterator[Scan | Behaviour]:
        while (due_ns := self.next_due_ns) <= t_ns:
            self._mouse.advance_until(due_ns)
            if self._sample_ns(self._samples) == due_ns:
                yield self._sample(due_ns)
            else:
                yield self._scan(due_ns)

    def _sample(self, t_ns: int) -> Behaviour:
        state = self._mouse.behaviour
        self._samples += 1
        return Behaviour(t_ns, state.running_cm_s, state.pupil_diameter_px, state.pupil_center_px)

    def _scan(self, end_ns: int) -> Scan:
        config, state = self._config, self._mouse.behaviour
        start_ns = self._scan_start_ns(self._scans)
        sampled_ns = start_ns + (self._phase * (end_ns - start_ns)).astype(np.int64)
        self._shift_px = self._motion.next_shift_px(state.running_cm_s)
        age_s = (end_ns - self._t_start_ns) / _NS_PER_S
        left = _UNBLEACHABLE + (1 - _UNBLEACHABLE) * math.exp(-age_s / config.bleaching_tau_s)
        pixels = self._scope.scan(
            self._mouse.dff_at(sampled_ns),
            shared=0.01 * state.running_cm_s,
            shift_px=self._shift_px,
            bleached=left,
        )
        self._scans += 1
        return Scan(pixels, self._scans - 1, 0, start_ns, end_ns)

    def _scan_start_ns(self, scan: int) -> int:
        return self._t_start_ns + round(scan * _NS_PER_S / self._config.scan_rate_hz)

    def _sample_ns(self, sample: int) -> int:
        return self._t_start_ns + round(sample * _NS_PER_S / self._config.behaviour_rate_hz)


def _tissue(config: SimulatedSource) -> Tissue:
    return grow_tissue(
        np.random.default_rng([config.mouse_seed, 1]),
        neurons=config.neurons,
        rows_px=config.rows_px,
        cols_px=config.cols_px,
        pad_px=math.ceil(4 * config.motion_px) + 3,
        photons=config.photons,
        neuropil_fraction=config.neuropil_fraction,
    )
