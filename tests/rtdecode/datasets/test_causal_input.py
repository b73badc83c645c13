"""Causal activity does not depend on later scans."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from rtdecode.calcium.deconvolve import PoolDeconvolver
from rtdecode.calcium.kinetics import KineticsPrior, kinetics
from rtdecode.datasets.causal_input import CausalInput
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import MissingFileError

RATE_HZ, TAU_S = 15.0, 0.7
FRAMES, EVERY = 90, 2
LAG = CalciumConfig().deconvolution_lag_scans


@pytest.fixture(scope="module")
def scanned(
    blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory
) -> SensoriumFolder:
    """The tiny session with dF/F of spikes that follow each neuron's activity."""
    folder = tmp_path_factory.mktemp("scanned") / "session"
    shutil.copytree(blob_session.folder, folder)
    (folder / "data" / "traces").mkdir()
    rng = np.random.default_rng(2)
    phase_s = np.linspace(0, 0.06, blob_session.neurons)
    for number in range(len(blob_session.tiers)):
        activity = blob_session.segment(number).responses
        spikes = rng.poisson(activity[::EVERY].T / 2).astype(np.float32)
        np.savez(
            folder / "data" / "traces" / f"{number}.npz",
            dff=calcium(spikes) + rng.normal(0, 0.1, spikes.shape).astype(np.float32),
            t_s=np.arange(spikes.shape[1]) / RATE_HZ,
            phase_s=phase_s,
        )
    return SensoriumFolder(folder)


def calcium(spikes: np.ndarray) -> np.ndarray:
    """(neuron, scan) dF/F of an indicator that decays with `TAU_S`."""
    kept = np.exp(-1 / (TAU_S * RATE_HZ))
    dff = np.zeros_like(spikes)
    for scan in range(spikes.shape[1]):
        dff[:, scan] = spikes[:, scan] + (kept * dff[:, scan - 1] if scan else 0)
    return dff


def changed_from(data: SensoriumFolder, folder: Path, *, trial: int, scan: int) -> SensoriumFolder:
    """A copy of `data` in which the scans of `trial` from `scan` on tell something else."""
    shutil.copytree(data.folder, folder)
    path = folder / "data" / "traces" / f"{trial}.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["dff"][:, scan:] = 3 + arrays["dff"][:, scan:][:, ::-1]
    np.savez(path, **arrays)
    return SensoriumFolder(folder)


@pytest.mark.parametrize("scan", [9, 30])
def test_later_scans_change_nothing_that_was_known_before(
    scanned: SensoriumFolder, tmp_path: Path, scan: int
) -> None:
    trial = scanned.trials("test")[0]
    other = changed_from(scanned, tmp_path / "copy", trial=trial, scan=scan)
    before, known = CausalInput(scanned).responses(trial)
    after, _ = CausalInput(other).responses(trial)
    # Scan k - lag is final once scan k is in, and a frame at its start is between it and the next.
    last = int((scan - 1 - LAG) * 30 / RATE_HZ)
    assert known[:last].any()
    np.testing.assert_array_equal(before[: last + 1], after[: last + 1])
    assert not np.array_equal(before, after)


def test_decoded_trials_do_not_enter_the_calibration(
    scanned: SensoriumFolder, tmp_path: Path
) -> None:
    test = scanned.trials("test")[0]
    other = changed_from(scanned, tmp_path / "copy", trial=test, scan=0)
    for trial in scanned.trials("oracle"):
        one, same = (CausalInput(data).responses(trial)[0] for data in (scanned, other))
        np.testing.assert_array_equal(one, same)


def test_it_is_what_the_live_deconvolution_gives_scan_by_scan(scanned: SensoriumFolder) -> None:
    """Neuron 0 is seen at the start of a scan, so that every second frame is a scan's value."""
    trial, config = scanned.trials("test")[0], CalciumConfig()
    calibration = np.concatenate([scanned.traces(k).dff for k in scanned.trials("train")[:12]])
    prior = KineticsPrior(config.decay_tau_s, config.rise_tau_s)
    rate_hz = 1 / float(np.median(np.diff(scanned.traces(0).t_s)))
    estimated = kinetics(calibration, scan_rate_hz=rate_hz, prior=prior)
    live = PoolDeconvolver(
        estimated.decay_tau_s * np.float32(rate_hz),
        penalty=np.float32(config.sparsity) * estimated.noise,
        rise_scans=estimated.rise_tau_s * np.float32(rate_hz),
    )
    told = []
    for scan, dff in enumerate(scanned.traces(trial).dff):
        live.absorb(np.ascontiguousarray(dff), np.ones(len(dff), bool), scan=scan)
        if scan >= LAG:
            told.append(live.read(scan - LAG)[0])
    activity, valid = CausalInput(scanned).responses(trial)
    scans = np.flatnonzero(valid[::EVERY, 0])
    assert len(scans) > 20
    expected = np.array(told)[scans]
    found = activity[::EVERY, 0][scans]
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), atol=1e-4)


def test_its_units_are_those_of_the_responses(scanned: SensoriumFolder) -> None:
    causal = CausalInput(scanned)
    told, found = np.zeros(scanned.neurons), np.zeros(scanned.neurons)
    for number in scanned.trials("train")[:12]:
        activity, valid = causal.responses(number)
        told += (scanned.segment(number).responses * valid).sum(0)
        found += activity.sum(0)
    np.testing.assert_allclose(found, told, rtol=1e-3)


def test_the_end_of_a_trial_is_missing_until_its_scans_are_final(
    scanned: SensoriumFolder,
) -> None:
    _, valid = CausalInput(scanned).responses(scanned.trials("test")[0])
    last_scan = FRAMES // EVERY - 1
    last_known = (last_scan - LAG) * EVERY
    assert valid[EVERY : last_known + 1].all()
    assert not valid[last_known + 1 :].any()


def test_a_session_without_raw_scans_is_refused(blob_session: SensoriumFolder) -> None:
    with pytest.raises(MissingFileError, match="use --input responses"):
        CausalInput(blob_session)
