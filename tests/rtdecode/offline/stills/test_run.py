"""A session with still images is reconstructed by each method that suits it, and scored pooled."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from rtdecode.datasets.stills import StillClips, StillSession
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.job import Request
from rtdecode.offline.published_mask import fit_transparency
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.offline.stills.map_estimate import predicted_for
from rtdecode.offline.stills.run import image_scores
from rtdecode.schema.errors import (
    MissingOptionError,
    SessionNeuronsError,
    UnsuitedMethodError,
    UnsuitedOptionError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.twins.folder import save_twin
from rtdecode.twins.still import Still

ROWS, COLS, NEURONS, TRAIN, HELD_OUT = 12, 16, 40, 200, 40


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, still_twin: Callable[[int], Still]) -> Path:
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(TRAIN + HELD_OUT, ROWS, COLS)), (0, 1.5, 1.5))
    images = (110 + 250 * smooth).clip(0, 255).astype(np.uint8)
    flat = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32))
    rate = predicted_for(still_twin(NEURONS), flat).numpy()
    path = tmp_path_factory.mktemp("stills") / "session.npz"
    np.savez(
        path,
        images=images,
        responses=rate * np.exp(0.3 * rng.normal(size=rate.shape)),
        behavior=rng.normal(size=(len(images), 3)),
        pupil_center=rng.normal(size=(len(images), 2)),
        tiers=np.array(["train"] * TRAIN + ["validation"] * HELD_OUT),
    )
    return path


@pytest.fixture(scope="module")
def twin_folder(
    tmp_path_factory: pytest.TempPathFactory, still_twin: Callable[[int], Still]
) -> Path:
    folder = tmp_path_factory.mktemp("twin")
    save_twin(still_twin(NEURONS), folder)
    return folder


def request(data: Path, out: Path, method: str, *twins: Path) -> Request:
    return Request(
        data=data, out=out, method=method, tier="validation", twins=twins, ridge=None,
        lag_frames=8, steps=3, iterations=None, mask=None, source="responses",
    )  # fmt: skip


def quiet(_done: int, _total: int, _r: float) -> None:
    pass


def test_each_method_writes_an_image_for_each_trial_and_beats_the_one_before(
    session: Path, twin_folder: Path, tmp_path: Path, clock: Clock
) -> None:
    reached = []
    for method in ("mean", "ridge", "offline"):
        out = tmp_path / method
        told = reconstruct(request(session, out, method, twin_folder), clock=clock, report=quiet)
        summary = json.loads((out / "summary.json").read_text())
        assert summary["video_r"]["mean"] == told["video_r"]["mean"]
        assert len(summary["video_r"]["per_clip"]) == HELD_OUT
        assert len(list(out.glob("*.npy"))) == HELD_OUT
        image = np.load(out / f"{TRAIN}.npy")
        assert (image.dtype, image.shape) == (np.float32, (1, ROWS, COLS))
        reached.append(told["video_r"]["mean"])
    assert reached[0] < reached[1] < reached[2]


def test_progress_counts_trials(session: Path, tmp_path: Path, clock: Clock) -> None:
    reported: list[tuple[int, int]] = []
    reconstruct(
        request(session, tmp_path, "mean"),
        clock=clock,
        report=lambda done, total, _r: reported.append((done, total)),
    )
    assert reported == [(32, 40), (40, 40)]


def test_scores_are_pooled_over_pixels_and_images_inside_the_mask() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 30, (50, ROWS, COLS)).astype(np.float32)
    found = (truth + rng.normal(0, 30, truth.shape)).astype(np.float32)
    mask = np.zeros((ROWS, COLS), np.bool_)
    mask[2:9, 3:12] = True
    scores = image_scores(truth, found, mask)
    pooled = pearson_r(truth[:, mask], found[:, mask])
    assert scores["video_r"]["mean"] == pytest.approx(pooled)
    low, high = scores["video_r"]["ci95"]
    assert low < pooled < high
    assert high - low < 0.1
    assert scores["video_r"]["per_clip"][3] == pytest.approx(
        pearson_r(truth[3][mask], found[3][mask])
    )


@pytest.mark.parametrize("method", ["online", "reference"])
def test_methods_for_videos_are_refused(
    session: Path, twin_folder: Path, tmp_path: Path, clock: Clock, method: str
) -> None:
    with pytest.raises(UnsuitedMethodError, match="choose mean or ridge or offline"):
        reconstruct(request(session, tmp_path, method, twin_folder), clock=clock, report=quiet)


def test_inversion_needs_one_twin_of_these_neurons(
    session: Path, tmp_path: Path, clock: Clock, still_twin: Callable[[int], Still]
) -> None:
    with pytest.raises(MissingOptionError, match="one --twin"):
        reconstruct(request(session, tmp_path, "offline"), clock=clock, report=quiet)
    save_twin(still_twin(7), tmp_path / "other")
    asked = request(session, tmp_path, "offline", tmp_path / "other")
    with pytest.raises(SessionNeuronsError, match=r"other has 7 neurons, but session .* has 40:"):
        reconstruct(asked, clock=clock, report=quiet)


def test_options_for_videos_are_refused(session: Path, tmp_path: Path, clock: Clock) -> None:
    asked = request(session, tmp_path, "mean")
    for option, told in (
        ({"ridge": tmp_path}, "--ridge does not apply: leave it out"),
        ({"source": "traces"}, "--input traces does not apply: each neuron has one"),
    ):
        with pytest.raises(UnsuitedOptionError, match=told):
            reconstruct(replace(asked, **option), clock=clock, report=quiet)  # type: ignore[arg-type]


def test_a_mask_can_be_fitted_to_held_out_images(
    session: Path, still_twin: Callable[[int], Still]
) -> None:
    clips = StillClips(StillSession(session))
    alpha = fit_transparency(still_twin(NEURONS), clips, steps=30, seed=0)
    assert alpha.shape == (ROWS, COLS)
    assert alpha.max() > 0.2


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_mouse_is_decoded_better_by_its_twin_than_by_ridge(
    shared_folder: Path, tmp_path: Path, clock: Clock
) -> None:
    """With 2,000 training trials and on 64 held-out images; the benchmarks have all."""
    from rtdecode.twins.import_twin import Format, import_twin

    folder = shared_folder / "data" / "mouse_stills"
    weights = folder / "lurz2020_mouse20457_sota_model.pth"
    import_twin(weights, tmp_path / "twin", layout=Format.SENSORIUM2022)
    with np.load(folder / "lurz2020_mouse20457_train_validation.npz") as packed:
        tiers = packed["tiers"]
        few = (("train", 2000), ("validation", 64))
        kept = np.concatenate([np.flatnonzero(tiers == tier)[:count] for tier, count in few])
        arrays = ("images", "responses", "behavior", "pupil_center", "tiers")
        np.savez(tmp_path / "part.npz", **{name: packed[name][kept] for name in arrays})
    reached = {
        method: reconstruct(
            request(tmp_path / "part.npz", tmp_path / method, method, tmp_path / "twin"),
            clock=clock,
            report=quiet,
        )["video_r"]["mean"]
        for method in ("ridge", "offline")
    }
    assert reached["offline"] > reached["ridge"] + 0.04
