import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.offline.job import Request
from rtdecode.offline.methods import LinearDecoder, MeanFrame, Offline, Online, Reference
from rtdecode.offline.reconstruct import method_for, online_config, reconstruct
from rtdecode.offline.ridge import fit_ridge
from rtdecode.offline.screen_masks import free_mask, scoring_mask
from rtdecode.schema.errors import (
    MissingOptionError,
    NoSuchTierError,
    SessionNeuronsError,
    UnreadableFileError,
)
from rtdecode.schema.interfaces import Clock

PROMISED = {
    "video_r",
    "frame_r",
    "ssim",
    "shift_ms",
    "twin_passes_per_frame",
    "seconds_per_frame",
    "method",
    "lag_frames",
    "steps",
    "causality",
    "device",
    "neurons",
    "commit",
    "machine",
}


@pytest.fixture
def request_(blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path) -> Request:
    return Request(
        data=blob_session.folder,
        out=tmp_path / "out",
        method="online",
        tier="test",
        twins=(blob_twin,),
        ridge=None,
        lag_frames=6,
        steps=1,
        iterations=None,
        mask=None,
        source="responses",
    )


@pytest.fixture(scope="module")
def ridge_folder(blob_session: SensoriumFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ridge")
    fit_ridge(blob_session, lag_frames=4).save(folder)
    return folder


def summary_of_run(request: Request, clock: Clock) -> dict[str, Any]:
    return reconstruct(request, clock=clock, report=lambda _done, _total, _r: None)


def test_a_run_leaves_each_video_and_a_summary_with_the_promised_keys(
    request_: Request, clock: Clock, blob_session: SensoriumFolder
) -> None:
    summary_of_run(request_, clock)
    [trial] = blob_session.trials("test")
    assert {path.name for path in request_.out.iterdir()} == {f"{trial}.npy", "summary.json"}
    summary = json.loads((request_.out / "summary.json").read_text())
    assert set(summary) == PROMISED
    for metric in ("video_r", "frame_r", "ssim", "shift_ms"):
        assert set(summary[metric]) == {"mean", "ci95", "per_clip"}
        assert len(summary[metric]["ci95"]) == 2
        assert len(summary[metric]["per_clip"]) == 1
    video = np.load(request_.out / f"{trial}.npy")
    assert (video.dtype, video.shape) == (np.float32, (90, 12, 16))
    assert np.isnan(video[-6:]).all()
    assert np.isfinite(video[:-6]).all()


def test_online_decoding_of_the_tiny_mouse_is_good(request_: Request, clock: Clock) -> None:
    mean = summary_of_run(replace(request_, method="mean"), clock)
    online = summary_of_run(request_, clock)
    assert online["video_r"]["mean"] > 0.5
    assert online["video_r"]["mean"] > mean["video_r"]["mean"] + 0.3


def test_progress_counts_trials(request_: Request, clock: Clock) -> None:
    reported: list[tuple[int, int]] = []
    request = replace(request_, method="mean", tier="oracle")
    reconstruct(request, clock=clock, report=lambda done, total, _r: reported.append((done, total)))
    assert reported == [(1, 2), (2, 2)]


def test_each_name_is_its_method(
    request_: Request, blob_session: SensoriumFolder, blob_twin: Path, ridge_folder: Path
) -> None:
    twins = [load_fitted_twin(blob_twin, neurons=blob_session.neurons)]
    kinds = {
        "mean": MeanFrame,
        "ridge": LinearDecoder,
        "online": Online,
        "offline": Offline,
        "reference": Reference,
    }
    for name, kind in kinds.items():
        request = replace(request_, method=name, ridge=ridge_folder, iterations=7)
        method = method_for(request, blob_session, twins)
        assert type(method) is kind
    assert method_for(replace(request_, method="offline"), blob_session, twins).steps == 60
    assert method_for(replace(request_, method="reference"), blob_session, twins).steps == 1000


def test_a_lag_that_is_asked_for_is_that_of_the_ridge(
    request_: Request, ridge_folder: Path, clock: Clock
) -> None:
    summary = summary_of_run(replace(request_, method="ridge", ridge=ridge_folder), clock)
    assert summary["lag_frames"] == 4


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"twins": ()}, "--twin is needed for --method online"),
        ({"method": "ridge"}, "--ridge is needed for --method ridge"),
        ({"method": "mean", "twins": (), "source": "predicted"}, "--twin is needed for --input"),
    ],
)
def test_an_option_that_is_missing_is_named(
    request_: Request, clock: Clock, changes: dict[str, Any], option: str
) -> None:
    with pytest.raises(MissingOptionError, match=option):
        summary_of_run(replace(request_, **changes), clock)


def test_a_tier_that_is_not_there_is_named(request_: Request, clock: Clock) -> None:
    with pytest.raises(NoSuchTierError, match="'final'"):
        summary_of_run(replace(request_, tier="final"), clock)


def test_a_linear_decoder_of_other_neurons_is_refused(
    request_: Request, ridge_folder: Path, blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(blob_session.folder, copy)
    for path in (copy / "data" / "responses").iterdir():
        np.save(path, np.load(path)[:7])
    request = replace(request_, method="ridge", ridge=ridge_folder)
    with pytest.raises(
        SessionNeuronsError, match=r"linear decoder .* 12 neurons, but .*copy has 7:"
    ):
        method_for(request, SensoriumFolder(copy), [])


def test_a_given_mask_is_preferred_to_that_of_the_twin_and_to_the_whole_screen(
    blob_session: SensoriumFolder, blob_twin: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "twin"
    shutil.copytree(blob_twin, beside)
    given, own = np.zeros((12, 16), bool), np.zeros((12, 16), bool)
    given[0], own[5] = True, True
    np.save(tmp_path / "given.npy", given)
    np.save(beside / "mask.npy", own)
    chosen = scoring_mask(blob_session, tmp_path / "given.npy", (beside,))
    np.testing.assert_array_equal(chosen, given)
    np.testing.assert_array_equal(scoring_mask(blob_session, None, (beside,)), own)
    assert scoring_mask(blob_session, None, (blob_twin,)).all()


def test_the_published_procedure_may_optimise_more_pixels_than_are_scored(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    transparency = np.linspace(0, 2, 192, dtype=np.float32).reshape(12, 16)
    np.save(tmp_path / "m.npy", transparency >= 1)
    np.testing.assert_array_equal(
        free_mask(blob_session, tmp_path / "m.npy", ()), transparency >= 1
    )
    np.save(tmp_path / "m_transparency.npy", transparency)
    np.testing.assert_array_equal(
        free_mask(blob_session, tmp_path / "m.npy", ()), transparency >= 0.5
    )


def test_a_transparency_of_another_screen_is_refused(
    blob_session: SensoriumFolder, tmp_path: Path
) -> None:
    np.save(tmp_path / "m.npy", np.ones((12, 16), bool))
    np.save(tmp_path / "m_transparency.npy", np.ones((16, 12), np.float32))
    with pytest.raises(UnreadableFileError, match=r"m_transparency\.npy.*\(12, 16\)"):
        free_mask(blob_session, tmp_path / "m.npy", ())


@pytest.mark.parametrize("lag", [0, 8, 30])
def test_the_window_holds_any_lag(lag: int) -> None:
    config = online_config(lag_frames=lag, steps=3)
    assert config.window_frames >= lag + 28
    assert config.lag_frames == lag
