"""Every row of the benchmark table, on the same trials, mask and twin."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.bench import quality as module
from rtdecode.bench.quality import LAG, TableRequest, TableSettings, bench_quality
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.offline.direct import DirectDecoder
from rtdecode.offline.linear_features import Transform
from rtdecode.offline.ridge import Ridge
from rtdecode.schema.config.training import DirectConfig
from rtdecode.schema.errors import (
    DamagedResultError,
    MissingOptionError,
    NoSuchTierError,
    OtherSettingsError,
)
from rtdecode.train.starting_point import fresh_compact, receptive_field_centers, survey
from rtdecode.train.twin_fit import training_videos
from rtdecode.twins.folder import save_twin
from rtdecode.twins.twin import TwinSpec


class StandingClock:
    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("a benchmark waits for nothing")


@pytest.fixture(scope="module")
def short_session(blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny session with two test trials of 40 frames, of which the last ten are scored."""
    folder = tmp_path_factory.mktemp("short") / "session"
    shutil.copytree(blob_session.folder, folder)
    tiers = np.load(folder / "meta" / "trials" / "tiers.npy")
    tiers[blob_session.trials("train")[-1]] = "test"
    np.save(folder / "meta" / "trials" / "tiers.npy", tiers)
    for number in SensoriumFolder(folder).trials("test"):
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
    assert LAG in TableSettings().lags
    assert set(TableSettings().steps) >= {1, 3, 10}
    assert tuple(TableSettings().lags) == (0, 2, 4, 8, 16, 30)


QUICK = DirectConfig(steps=4, channels=2, batch=2, frames=8, warm_up_steps=1, validate_every=4)


def table(
    folder: Path, twins: tuple[Path, ...], out: Path, **how: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    told: list[str] = []
    few = TableSettings(lags=(LAG, 16), steps=(1, 3), neuron_parts=(4,), direct=QUICK)
    options = {"trials": 1, "iterations": 12, "settings": few} | how
    request = TableRequest(folder, twins, **options)
    return bench_quality(request, out, clock=StandingClock(), report=told.append), told


@pytest.fixture(scope="module")
def whole_table(
    short_session: Path, small_twin: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], Path]:
    """The table of two twins (one twice, which shows that an ensemble is an average)."""
    out = tmp_path_factory.mktemp("table")
    return table(short_session, (small_twin, small_twin), out)[0], out


def rows_of(rows: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["method"] == method]


@pytest.mark.slow
def test_every_row_exists_once(whole_table: tuple[list[dict[str, Any]], Path]) -> None:
    rows, _ = whole_table
    assert {row["method"] for row in rows} == {
        "mean",
        "ridge",
        "ridge, square root of activity",
        "direct",
        "online",
        "online, cold start",
        "online, new frames start at the mean",
        "online, 1 % of neurons stuck",
        "online, 5 % of scans × 20",
        "online, no prior",
        "online, noise-free",
        "online, 1/4 of the neurons",
        "online ensemble",
        "offline",
        "reference",
    }
    online = sorted((row["lag_frames"], row["steps"]) for row in rows_of(rows, "online"))
    assert online == [(8, 1), (8, 3), (16, 3)]
    reference = [(row["steps"], row["twins"]) for row in rows_of(rows, "reference")]
    assert reference == [(10, 1), (12, 1), (10, 2), (12, 2)]


@pytest.mark.slow
def test_the_same_twin_twice_is_no_better_than_once(
    whole_table: tuple[list[dict[str, Any]], Path],
) -> None:
    rows, _ = whole_table
    [usual] = [r for r in rows_of(rows, "online") if (r["lag_frames"], r["steps"]) == (8, 3)]
    [ensemble] = rows_of(rows, "online ensemble")
    assert ensemble["video_r"]["mean"] == pytest.approx(usual["video_r"]["mean"], abs=1e-6)
    assert ensemble["twin_passes_per_frame"] == 2 * usual["twin_passes_per_frame"]


@pytest.mark.slow
def test_neurons_that_are_left_out_are_not_counted(
    whole_table: tuple[list[dict[str, Any]], Path],
) -> None:
    rows, _ = whole_table
    [row] = rows_of(rows, "online, 1/4 of the neurons")
    assert row["neurons"] == 3


@pytest.mark.slow
def test_the_result_is_a_file_that_others_can_read(
    whole_table: tuple[list[dict[str, Any]], Path], short_session: Path
) -> None:
    """Strict JSON: a lag of 16 frames leaves nothing to score here, and that is null."""
    rows, out = whole_table

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
def test_the_fitted_decoders_are_left_behind(
    whole_table: tuple[list[dict[str, Any]], Path],
) -> None:
    folder = whole_table[1]
    plain, root = (Ridge.load(folder / name) for name in ("ridge_lag8", "ridge_sqrt_lag8"))
    assert (plain.features.transform, root.features.transform) == (Transform.NONE, Transform.SQRT)
    assert DirectDecoder.load(folder / "direct_lag8").lag_frames == LAG


def test_a_table_needs_a_twin_and_a_tier(
    short_session: Path, small_twin: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingOptionError, match="--twin is needed for bench quality"):
        table(short_session, (), tmp_path)
    with pytest.raises(NoSuchTierError, match="'final'"):
        table(short_session, (small_twin,), tmp_path, tier="final")


FEW = TableSettings(lags=(), steps=(), neuron_parts=(), direct=QUICK)


def computed(folder: Path, twin: Path, out: Path, report: Callable[[str], None]) -> list[Any]:
    """A table with the fewest rows, on two trials."""
    request = TableRequest(folder, (twin,), iterations=11, settings=FEW)
    return bench_quality(request, out, clock=StandingClock(), report=report)


def interrupted_at(row: str, folder: Path, twin: Path, out: Path) -> None:
    """As `computed`, with Ctrl-C when `row` begins."""

    def report(told: str) -> None:
        if told.startswith(row) and not told.endswith("exists already"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        computed(folder, twin, out, report)


def kept(file: Path) -> list[dict[str, Any]]:
    """What there is of a result, without what depends on the machine's other work."""
    rows = json.loads(file.read_text())["results"]
    return [{k: v for k, v in row.items() if k != "seconds_per_frame"} for row in rows]


@pytest.mark.slow
def test_a_table_that_is_interrupted_twice_equals_one_that_is_not(
    short_session: Path, small_twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped, told = tmp_path / "whole", tmp_path / "stopped", list[str]()
    drawn: list[int] = []
    monkeypatch.setattr(module, "draw_figures", lambda rows, _: drawn.append(len(rows)))
    monkeypatch.setattr(module, "STEP_COUNT", 1)  # it is as good a table, and sooner whole_table
    expected = computed(short_session, small_twin, whole, lambda _: None)

    interrupted_at("online, cold start", short_session, small_twin, stopped)
    baselines = ["mean", "ridge", "ridge, square root of activity", "direct"]
    assert [row["method"] for row in kept(stopped / "quality.json")] == baselines
    second = SensoriumFolder(short_session).trials("test")[1]
    interrupted_at(f"reference (twins: 1, trial {second}", short_session, small_twin, stopped)
    assert len(kept(stopped / "reference_trials.json")) == 1

    rows = computed(short_session, small_twin, stopped, told.append)
    assert kept(stopped / "quality.json") == kept(whole / "quality.json")
    np.testing.assert_equal(rows, expected)
    assert drawn == [len(rows), 4, len(rows) - 2, len(rows)]
    assert [line for line in told if not line.endswith("exists already")] == [
        f"reference (twins: 1, trial {second})"
    ]
    assert told[:2] == [
        "mean (lag 0, steps 0): exists already",
        "ridge (lag 8, steps 0): exists already",
    ]


@pytest.fixture(scope="module")
def begun(short_session: Path, small_twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table that was interrupted after its first row."""
    out = tmp_path_factory.mktemp("begun")
    interrupted_at("ridge", short_session, small_twin, out)
    return out


def test_rows_of_other_settings_are_neither_mixed_nor_lost(
    begun: Path, short_session: Path, small_twin: Path
) -> None:
    before = (begun / "quality.json").read_bytes()
    with pytest.raises(OtherSettingsError, match=r"iterations \(11 there, 12 here\).*--out"):
        table(short_session, (small_twin,), begun, trials=None)
    assert (begun / "quality.json").read_bytes() == before


def test_refitted_twins_and_changed_trials_count_as_other_settings(
    begun: Path, short_session: Path, small_twin: Path, tmp_path: Path
) -> None:
    again = shutil.copytree(small_twin, tmp_path / "a" / small_twin.name)
    noise = even_noise(12)
    save_noise(noise.__class__(noise.dispersion * 2, noise.likelihood_weight, noise.shared), again)
    with pytest.raises(OtherSettingsError, match=r"another hash_of_twins \(\['\w+'\] there"):
        computed(short_session, again, begun, lambda _: None)
    brighter = shutil.copytree(short_session, tmp_path / "b" / short_session.name)
    [path, _] = [
        brighter / "data" / "videos" / f"{number}.npy"
        for number in SensoriumFolder(brighter).trials("test")
    ]
    np.save(path, np.load(path) + 1)
    with pytest.raises(OtherSettingsError, match=r"another hash_of_trials \(\w+ there"):
        computed(brighter, small_twin, begun, lambda _: None)


def test_a_damaged_result_is_refused_and_left_as_it_is(
    begun: Path, short_session: Path, small_twin: Path, tmp_path: Path
) -> None:
    half = (begun / "quality.json").read_bytes()[:-20]
    (tmp_path / "quality.json").write_bytes(half)
    with pytest.raises(DamagedResultError, match=r"quality\.json .*delete the file"):
        computed(short_session, small_twin, tmp_path, lambda _: None)
    assert (tmp_path / "quality.json").read_bytes() == half
