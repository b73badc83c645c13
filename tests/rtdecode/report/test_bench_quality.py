"""Every rung of the ladder, on the same trials, mask and twin."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.decode.twin import TwinSpec
from rtdecode.decode.twin_folder import save_twin
from rtdecode.fit.datasets.sensorium import SensoriumFolder
from rtdecode.fit.positions import receptive_field_centers
from rtdecode.fit.start import fresh_compact
from rtdecode.fit.survey import survey
from rtdecode.fit.twin_fit import training_videos
from rtdecode.report.bench_quality import LAG, Rungs, bench_quality
from rtdecode.schema.errors import MissingOptionError, NoSuchTierError


class StandingClock:
    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("a benchmark waits for nothing")


@pytest.fixture(scope="module")
def short_session(blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny session with its test trial cut to 40 frames, of which the last ten are scored."""
    folder = tmp_path_factory.mktemp("short") / "session"
    shutil.copytree(blob_session.folder, folder)
    for number in blob_session.trials("test"):
        for kind in ("videos", "responses", "behavior", "pupil_center"):
            path = folder / "data" / kind / f"{number}.npy"
            np.save(path, np.load(path)[..., :40])
    return folder


@pytest.fixture(scope="module")
def small_twin(blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin as training begins with it, small and quick."""
    folder = tmp_path_factory.mktemp("twin")
    sizes = {"taps": 4, "streams": 1, "orders": 2, "filter_px": 5, "hidden": 4, "features": 2}
    spec = TwinSpec("compact", 12, rows_px=12, cols_px=16, history_frames=11, sizes=sizes)
    found, centres = survey(blob_session), receptive_field_centers(blob_session)
    save_twin(fresh_compact(spec, found, centres, seed=0), folder)
    save_prior(fit_prior(training_videos(blob_session)), folder)
    save_noise(even_noise(12), folder)
    return folder


def test_the_usual_lag_and_steps_are_always_compared() -> None:
    assert LAG in Rungs().lags
    assert set(Rungs().steps) >= {1, 3, 10}
    assert tuple(Rungs().lags) == (0, 2, 4, 8, 16, 30)


def ladder(
    folder: Path, twins: tuple[Path, ...], out: Path, **how: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    told: list[str] = []
    options = {"tier": "test", "mask": None, "trials": 1, "iterations": 12} | how
    few = Rungs(lags=(LAG, 16), steps=(1, 3), neuron_parts=(4,))
    rows = bench_quality(
        folder, twins, out, clock=StandingClock(), report=told.append, rungs=few, **options
    )
    return rows, told


@pytest.fixture(scope="module")
def climbed(
    short_session: Path, small_twin: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], Path]:
    """The ladder of two twins (one twice, which shows that an ensemble is an average)."""
    out = tmp_path_factory.mktemp("ladder")
    return ladder(short_session, (small_twin, small_twin), out)[0], out


def rungs(rows: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["method"] == method]


@pytest.mark.slow
def test_every_rung_is_there_once(climbed: tuple[list[dict[str, Any]], Path]) -> None:
    rows, _ = climbed
    assert {row["method"] for row in rows} == {
        "mean",
        "ridge",
        "online",
        "online, cold start",
        "online, no prior",
        "online, noise-free",
        "online, 1/4 of the neurons",
        "online ensemble",
        "offline",
        "reference",
    }
    online = sorted((row["lag_frames"], row["steps"]) for row in rungs(rows, "online"))
    assert online == [(8, 1), (8, 3), (16, 3)]
    reference = [(row["steps"], row["twins"]) for row in rungs(rows, "reference")]
    assert reference == [(10, 1), (12, 1), (10, 2), (12, 2)]


@pytest.mark.slow
def test_the_same_twin_twice_is_no_better_than_once(
    climbed: tuple[list[dict[str, Any]], Path],
) -> None:
    rows, _ = climbed
    [usual] = [r for r in rungs(rows, "online") if (r["lag_frames"], r["steps"]) == (8, 3)]
    [ensemble] = rungs(rows, "online ensemble")
    assert ensemble["video_r"]["mean"] == pytest.approx(usual["video_r"]["mean"], abs=1e-6)
    assert ensemble["twin_passes_per_frame"] == 2 * usual["twin_passes_per_frame"]


@pytest.mark.slow
def test_neurons_that_are_not_heard_are_counted_off(
    climbed: tuple[list[dict[str, Any]], Path],
) -> None:
    rows, _ = climbed
    [rung] = rungs(rows, "online, 1/4 of the neurons")
    assert rung["neurons"] == 3


@pytest.mark.slow
def test_the_result_is_a_file_that_others_can_read(
    climbed: tuple[list[dict[str, Any]], Path], short_session: Path
) -> None:
    """Strict JSON: a lag of 16 frames leaves nothing to score here, and that is null."""
    rows, out = climbed

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads((out / "quality.json").read_text(), parse_constant=refuse)
    assert content["benchmark"] == "quality"
    assert content["config"]["data"] == short_session.name
    assert content["config"]["scored_pixels"] == 12 * 16
    assert [row["method"] for row in content["results"]] == [row["method"] for row in rows]
    assert [row["video_r"]["mean"] is None for row in content["results"]] == [
        row["lag_frames"] == 16 for row in rows
    ]
    assert all(row["commit"] and row["machine"]["cores"] for row in content["results"])
    assert {path.name for path in out.iterdir()} >= {
        "quality_lag_compute.png",
        "quality_neurons.png",
    }


@pytest.mark.slow
def test_the_linear_decoder_is_fitted_once(
    climbed: tuple[list[dict[str, Any]], Path],
) -> None:
    assert (climbed[1] / "ridge_lag8" / "ridge.safetensors").is_file()


def test_a_ladder_needs_a_twin_and_a_tier(
    short_session: Path, small_twin: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingOptionError, match="--twin is needed for the ladder"):
        ladder(short_session, (), tmp_path)
    with pytest.raises(NoSuchTierError, match="'final'"):
        ladder(short_session, (small_twin,), tmp_path, tier="final")
