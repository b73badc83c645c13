"""`rtdecode bench loop`: quality of reconstructions against their age, for the choice of lags.

Sessions of the demo mouse are simulated once for each scan rate and passed through calcium chain
and solver of the live system, faster than real time, once for all lags. A reconstruction has its
age at the end of the scan that completed it, by the data's own times; the measured time of
computation is added.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.loop_pass import Batch, Decoded, Pass, decoded_at_lags
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import Rois
from rtdecode.datasets.video_session import TRAIN
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.demo.mouse import TEST
from rtdecode.demo.simulated_session import (
    DataClock,
    SimulatedSession,
    received,
    simulated_session,
)
from rtdecode.evaluate.metrics import bootstrap_interval, video_r
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.config.calcium import Rescale
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Behaviour, Responses, Scan
from rtdecode.streams.behaviour_join import BehaviourJoin

_WARM_UP_FRAMES = 45
_ESTIMATED_FRAMES = 8
"""Estimated frames of every pass. The decoder has lag + 4; video_r differs by up to 0.004."""
_CALIBRATION_S = 30.0
_MARGIN_MS = 3.0
"""That of `streams.paced_output.OutputDelay`."""
_NS_PER_MS = 1e6

F32 = NDArray[np.float32]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Settings that are compared, and the sessions on which they are."""

    scan_rates_hz: Sequence[float] = (8.0, 15.0, 30.0)
    kinds: Sequence[tuple[int, int]] = ((0, 1), (0, 3), (0, 5), (1, 1), (1, 3))
    """Deconvolution lag in scans, and solver steps, of each pass."""
    lags: Sequence[int] = (-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8)
    """Frames from the reconstructed one to the newest responses; negative: a forecast."""
    seeds: Sequence[int] = (1, 2)
    """One session for each; none of them was used to choose a setting."""
    clips: int = 3
    clip_s: float = 5.0


def bench_loop(
    config: RunConfig, settings: LoopSettings, *, report: Callable[[str], None]
) -> list[Row]:
    """Quality and latency of each setting, on the simulated rig of `config`.

    Returns
    -------
    A row for each setting: `video_r` (mean over clips with its bootstrap 95 % interval),
    `content_age_ms` (mean over frames of the time from the middle of a displayed frame to the flip
    that reacts: age in the data, median computation, and half a frame period, the mean wait for a
    flip), `paced_output_ms` (longest time to the paced output) and their parts.
    """
    fitted = load_fitted_twin(twin_folder(config))
    rows: list[Row] = []
    for rate_hz in settings.scan_rates_hz:
        bench = RateBench(config, settings, fitted, rate_hz=rate_hz)
        for deconvolution_lag, steps in settings.kinds:
            found = bench.rows(deconvolution_lag, steps)
            for row in found:
                report(_line(row))
            rows += found
    return rows


def _line(row: Row) -> str:
    return (
        f"{row['scan_rate_hz']:g} Hz, deconvolution lag {row['deconvolution_lag_scans']}, "
        f"{row['steps']} steps, lag {row['lag_frames']}: video r {row['video_r']['mean']:.3f}, "
        f"content age {row['content_age_ms']:.0f} ms"
    )


class RateBench:
    """The `sessions` of one scan rate, and the calibration of the demo mouse at it.

    At another rate than that of the twin's training, and with another indicator, the rig is
    calibrated on a session of its own, and activity is converted to the twin's units by its moments
    (`calcium.rescale: moment`). `decay_tau_s` is the decay of the indicator in s; None stands for
    that of the twin's training.
    """

    def __init__(
        self,
        config: RunConfig,
        settings: LoopSettings,
        fitted: FittedTwin,
        *,
        rate_hz: float,
        decay_tau_s: float | None = None,
    ) -> None:
        self._config, self._settings, self._fitted = config, settings, fitted
        self._grid, self._rate_hz = FrameGrid(config.frame_rate_hz), rate_hz
        self._source = _source(config).model_copy(update={"scan_rate_hz": rate_hz})
        self._target = Calibration.load(_file(config.calcium.calibration, "calcium.calibration"))
        self._rois = _rois(config, self._target)
        self.mask = scoring_mask(config)
        self._calcium = config.calcium
        self._calibration = self._target
        self._batches: dict[int, list[list[Batch]]] = {}
        if decay_tau_s is not None:
            indicator = {"decay_tau_s": decay_tau_s}
            self._source = self._source.model_copy(update=indicator)
            self._calcium = self._calcium.model_copy(update=indicator)
        if decay_tau_s is not None or rate_hz != self._target.scan_rate_hz:
            self._calcium = self._calcium.model_copy(update={"rescale": Rescale.MOMENT})
            self._calibration = self._calibrated()
        self.sessions = [
            simulated_session(
                self._source,
                TEST,
                seed=seed,
                clips=settings.clips,
                clip_s=settings.clip_s,
                grid=self._grid,
            )
            for seed in settings.seeds
        ]

    def rows(self, deconvolution_lag: int, steps: int) -> list[Row]:
        """Quality and latency at each lag."""
        if deconvolution_lag not in self._batches:
            self._batches[deconvolution_lag] = [
                list(self.batches_of(session, deconvolution_lag)) for session in self.sessions
            ]
        batches = self._batches[deconvolution_lag]
        horizon = {
            "lag_frames": 0,
            "forecast_frames": 0,
            "estimated_frames": _ESTIMATED_FRAMES,
            "steps": steps,
        }
        decode = (self._config.decode or DecodeConfig()).model_copy(update=horizon)
        passes = [
            decoded_at_lags(
                self._fitted,
                decode,
                batches_of_one,
                lags=self._settings.lags,
                first=session.first,
                shape=session.video.shape,
                grid=self._grid,
            )
            for session, batches_of_one in zip(self.sessions, batches, strict=True)
        ]
        return [self._row(deconvolution_lag, steps, lag, passes) for lag in self._settings.lags]

    def _row(self, deconvolution_lag: int, steps: int, lag: int, passes: Sequence[Pass]) -> Row:
        decoded = [one.by_lag[lag] for one in passes]
        scores = [
            score
            for one, session in zip(decoded, self.sessions, strict=True)
            for score in _scores(session, one, self.mask)
        ]
        interval = bootstrap_interval(scores, rng=np.random.default_rng(0))
        ages_ms = np.concatenate([one.age_ms[_WARM_UP_FRAMES:] for one in decoded])
        ages_ms = ages_ms[np.isfinite(ages_ms)]
        computed_ms = float(np.median(np.concatenate([one.computed_ms for one in passes])))
        flip_ms = 500 / self._grid.rate_hz
        return {
            "scan_rate_hz": self._rate_hz,
            "deconvolution_lag_scans": deconvolution_lag,
            "steps": steps,
            "lag_frames": lag,
            "video_r": {"mean": interval.mean, "ci95": [interval.low, interval.high]},
            "clips": len(scores),
            "age_ms": float(ages_ms.mean()),
            "computed_ms": computed_ms,
            "content_age_ms": float(ages_ms.mean()) + computed_ms + flip_ms,
            "paced_output_ms": float(ages_ms.max()) + computed_ms + _MARGIN_MS,
        }

    def batches_of(self, session: SimulatedSession, deconvolution_lag: int) -> Iterator[Batch]:
        calcium = {"deconvolution_lag_scans": deconvolution_lag}
        chain = self._chain(self._calibration, DataClock(), **calcium)
        join = BehaviourJoin(np.array(self._fitted.twin.spec.behaviour_mean, np.float32))
        for body in session.measured:
            if isinstance(body, Behaviour):
                list(join.step([body]))
                continue
            begun_ns = time.thread_time_ns()
            outs = list(chain.step([received(body)]))
            frames = [one for out in outs if isinstance(out, Responses) for one in join.step([out])]
            if frames:
                computed_ms = (time.thread_time_ns() - begun_ns) / _NS_PER_MS
                yield Batch(body.t_end_ns, frames, computed_ms)

    def _chain(
        self, calibration: Calibration | None, clock: DataClock, **calcium: float
    ) -> CalciumChain:
        return CalciumChain(
            self._calcium.model_copy(update=calcium),
            rois=self._rois,
            grid=self._grid,
            scan_rate_hz=self._rate_hz,
            reference=self._target.reference_counts,
            calibration=calibration,
            target=self._target,
            clock=clock,
        )

    def _calibrated(self) -> Calibration:
        """Calibration of this scan rate, on clips that the twin may have seen."""
        chain = self._chain(None, DataClock(), calibration_s=_CALIBRATION_S - 1)
        session = simulated_session(
            self._source, TRAIN, seed=0, clips=3, clip_s=_CALIBRATION_S / 3, grid=self._grid
        )
        for body in session.measured:
            if isinstance(body, Scan):
                list(chain.step([received(body)]))
        if chain.calibration is None:
            raise SettingMissingError(setting="calcium.calibration", reason="none was measured")
        return chain.calibration


def _scores(session: SimulatedSession, decoded: Decoded, mask: NDArray[np.bool_]) -> list[float]:
    """video_r of each clip, without the warm-up of the session; missing frames are left out."""
    edges = range(0, len(session.video), session.clip_frames)
    spans = [slice(max(edge, _WARM_UP_FRAMES), edge + session.clip_frames) for edge in edges]
    return [video_r(session.video[span], decoded.video[span], mask) for span in spans]


def _source(config: RunConfig) -> SimulatedSource:
    source = config.acquisition.source
    if not isinstance(source, SimulatedSource):
        reason = "the sessions of this benchmark are simulated, so that it must be simulated"
        raise SettingMissingError(setting="acquisition.source.kind", reason=reason)
    return source


def _file(path: Path | None, setting: str) -> Path:
    if path is None:
        raise SettingMissingError(setting=setting, reason="the simulated rig is decoded with it")
    return path


def _rois(config: RunConfig, calibration: Calibration) -> Rois:
    path = _file(config.calcium.rois, "calcium.rois")
    found = read_pixel_lists(path, shape=calibration.shape, table=config.calcium.rois_table)
    return found if isinstance(found, Rois) else found.placed(calibration.shape)


def twin_folder(config: RunConfig) -> Path:
    """Folder of the twin that `config` decodes with; SettingMissingError if it names none."""
    decode = config.decode
    return _file(None if decode is None else next(iter(decode.twin_folders), None), "decode.twin")
