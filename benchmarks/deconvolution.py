"""Online deconvolution with one data set left out in turn, against offline OASIS.

    .venv/bin/python benchmarks/deconvolution.py --shared ../shared

Constants of the calibration (priors of decay and rise, their weight, the permitted noise gain) are
chosen on two data sets with recorded spikes and tested on the third. Each recording is calibrated
alone on its first 10 s, as a field of one neuron, or (`field`) with the recordings of its data set
as one field; all scores are of the rest. Offline OASIS (oasis-deconv, `deconvolve(penalty=1)`) gets
the whole recording: it estimates its decay, baseline, noise and penalty from calibration and test
part together. Scores are Pearson correlations with spike counts in bins of one scan, the maximum
over delays of 0 to 3 scans, for both. Writes `benchmarks/results/calcium_held_out.json`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from calcium import RATES_HZ, RESTING_COUNTS, RESULTS, agreement, at_rate, recordings
from numpy.typing import NDArray
from oasis.functions import deconvolve

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.activity import ActivityEstimator
from rtdecode.calcium.calibrate import calibrated
from rtdecode.calcium.deconvolve import PoolDeconvolver
from rtdecode.calcium.kinetics import KineticsPrior, kinetics
from rtdecode.calcium.register import Shift
from rtdecode.calcium.scan_reader import RoiSignals
from rtdecode.schema.config.calcium import CalciumConfig

CONFIG = CalciumConfig()
LAGS = range(3)
CHOSEN_ON_LAGS = (0, 1)
DEFAULT = KineticsPrior(CONFIG.decay_tau_s, CONFIG.rise_tau_s)
CANDIDATES = tuple(
    KineticsPrior(decay, rise, decay_weight_s=weight, noise_gain=gain)
    for decay, rise, weight, gain in product(
        (0.5, 0.7, 1.0), (0.02, 0.04, 0.08), (0.3, 1.0, 3.0), (0.02, 0.05, 0.1)
    )
)
INDICATORS = {
    "DS09": "GCaMP6f, Chen et al. 2013",
    "DS10": "GCaMP6f, Huang et al. 2021",
    "DS13": "GCaMP6s, Huang et al. 2021",
}
Floats = NDArray[np.float64]
_STILL = Shift(0.0, 0.0, 0.0, at_edge=False)


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """All recordings at one scan rate, as the neurons of one array."""

    rate_hz: float
    sets: NDArray[np.str_]
    """(neuron,) name of the data set."""
    dff: NDArray[np.float32]
    """(scan, neuron) dF/F of the chain, 0 after the end of a recording."""
    scans: NDArray[np.int64]
    """(neuron,) length of the recording."""
    spikes: Sequence[Floats]
    offline: Floats
    """(neuron,) score of offline OASIS."""

    @property
    def calibration_scans(self) -> int:
        """Number of scans from which kinetics are estimated."""
        return int(CONFIG.calibration_s * self.rate_hz)

    def score(self, activity: Floats, neuron: int) -> float:
        """Score of (scan,) activity of one neuron, after the calibration."""
        test = np.s_[self.calibration_scans : self.scans[neuron]]
        return agreement(activity[test], self.spikes[neuron][self.calibration_scans :])


def traces(shared: Path, rate_hz: float) -> Traces:
    """The recordings at `rate_hz`, with dF/F as the chain computes it, and offline OASIS."""
    sets, dff, spikes, offline = [], [], [], []
    first = int(CONFIG.calibration_s * rate_hz)
    for name, times, recorded, spike_times in recordings(shared):
        trace, counts = at_rate(times, recorded, spike_times, rate_hz)
        _, activity, *_ = deconvolve(trace, penalty=1)
        offline.append(agreement(activity[first:], counts[first:]))
        sets.append(name[:4])
        dff.append(chain_dff(trace, rate_hz))
        spikes.append(counts)
    scans = np.array([len(one) for one in dff])
    table = np.zeros((scans.max(), len(dff)), np.float32)
    for neuron, one in enumerate(dff):
        table[: len(one), neuron] = one
    return Traces(rate_hz, np.array(sets), table, scans, spikes, np.array(offline))


def chain_dff(trace: Floats, rate_hz: float) -> NDArray[np.float32]:
    """(scan,) dF/F over the running baseline, which starts from that of the calibration."""
    nothing, seen = np.zeros(1, np.float32), np.ones(1, bool)
    f_raw = (RESTING_COUNTS * (1 + trace)).astype(np.float32)[:, None]
    signals = [RoiSignals(row, nothing, row, seen, _STILL) for row in f_raw]
    calibration = calibrated(
        CONFIG,
        signals[: int(CONFIG.calibration_s * rate_hz)],
        reference=np.zeros((1, 1), np.float32),
        scan_rate_hz=rate_hz,
    )
    estimator = ActivityEstimator(CONFIG, calibration=calibration)
    return np.array([estimator.dff(row, nothing, seen)[0] for row in f_raw])


def scores(data: Traces, prior: KineticsPrior, fields: Iterator[NDArray[np.intp]]) -> Floats:
    """(lag, neuron) score of the online deconvolution; `fields` are calibrated together."""
    decay, rise, noise = np.zeros((3, len(data.scans)), np.float32)
    for field in fields:
        first = np.ascontiguousarray(data.dff[: data.calibration_scans, field])
        found = kinetics(first, scan_rate_hz=data.rate_hz, prior=prior)
        decay[field], rise[field], noise[field] = found.decay_tau_s, found.rise_tau_s, found.noise
    rate = np.float32(data.rate_hz)
    measured = np.arange(len(data.dff))[:, None] < data.scans
    result = np.zeros((len(LAGS), len(data.scans)))
    for lag in LAGS:
        deconvolver = PoolDeconvolver(
            decay * rate, penalty=np.float32(CONFIG.sparsity) * noise, rise_scans=rise * rate
        )
        activity = np.zeros(data.dff.shape)
        for scan, row in enumerate(data.dff):
            deconvolver.absorb(row, measured[scan], scan=scan)
            if scan >= lag:
                activity[scan - lag] = deconvolver.read(scan - lag)
        result[lag] = [data.score(one, neuron) for neuron, one in enumerate(activity.T)]
    return result


def alone(data: Traces) -> Iterator[NDArray[np.intp]]:
    """Each recording as a field of one neuron."""
    return (np.array([neuron]) for neuron in range(len(data.scans)))


def by_set(data: Traces) -> Iterator[NDArray[np.intp]]:
    """The recordings of each data set as one field."""
    return (np.flatnonzero(data.sets == name) for name in INDICATORS)


def ratios(data: Traces, found: Floats, members: NDArray[np.bool_]) -> Floats:
    """(lag,) mean score of `members` divided by that of offline OASIS."""
    return np.asarray(found[:, members].mean(1) / data.offline[members].mean())


def chosen(everything: Sequence[Traces], tables: Sequence[Floats], names: Sequence[str]) -> int:
    """Index of the candidate with the highest mean ratio over data sets `names`, rates and lags."""
    merits = [
        ratios(data, one, data.sets == name)[list(CHOSEN_ON_LAGS)].mean()
        for candidate in range(len(CANDIDATES))
        for data, found in zip(everything, tables, strict=True)
        for one in (found[candidate],)
        for name in names
    ]
    return int(np.reshape(merits, (len(CANDIDATES), -1)).mean(1).argmax())


def held_out_table(shared: Path) -> dict[str, Any]:
    """Ratio to offline OASIS of each data set that had no part in choosing the constants."""
    everything = [traces(shared, rate) for rate in RATES_HZ]
    tables = [np.stack([scores(d, p, alone(d)) for p in CANDIDATES]) for d in everything]
    names = list(INDICATORS)
    choice = {name: chosen(everything, tables, [n for n in names if n != name]) for name in names}
    result: dict[str, Any] = {
        "chosen": {name: asdict(CANDIDATES[index]) for name, index in choice.items()},
        "chosen_on_all": asdict(CANDIDATES[chosen(everything, tables, names)]),
        "default": asdict(DEFAULT),
    }
    for data, found in zip(everything, tables, strict=True):
        held_out = np.zeros(found.shape[1:])
        for name, index in choice.items():
            members = data.sets == name
            held_out[:, members] = found[index][:, members]
        result[f"{data.rate_hz:g}_hz"] = {
            "offline_r": _by_set(data, lambda members, data=data: data.offline[members].mean()),
            "held_out": _table(data, held_out),
            "default": _table(data, scores(data, DEFAULT, alone(data))),
            "field": _table(data, scores(data, DEFAULT, by_set(data))),
        }
        print(result[f"{data.rate_hz:g}_hz"])
    return result


def _by_set(data: Traces, measure: Any) -> dict[str, Any]:
    rows = {name: data.sets == name for name in INDICATORS} | {"all": data.sets != ""}
    return {name: np.asarray(measure(members)).tolist() for name, members in rows.items()}


def _table(data: Traces, found: Floats) -> dict[str, Any]:
    """For each data set and for all, the ratio at each lag."""
    return _by_set(data, lambda members: ratios(data, found, members))


def main() -> None:
    """Choose, test and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    asked = parser.parse_args()
    write_benchmark(
        RESULTS / "calcium_held_out.json",
        name="calcium held out",
        config=CONFIG.model_dump(mode="json"),
        results=held_out_table(asked.shared),
    )


if __name__ == "__main__":
    main()
