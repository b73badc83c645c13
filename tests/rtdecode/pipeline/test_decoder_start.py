"""A decoder is loaded once, warmed up without a trace, and refuses a twin that does not fit."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtdecode.calcium.rois import Rois
from rtdecode.decode import fitted_twin
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.pipeline.decoding_stage import assembled, response_latency_s
from rtdecode.pipeline.preflight import checked
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import RoisCheck
from rtdecode.schema.errors import (
    NeuronCountError,
    SettingMissingError,
    TwinMissingError,
    TwinRoisError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Received, Reconstruction, Responses, WindowFrame

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]


class Rig:
    rois: Rois

    def stream(self, count: int) -> list[Received]: ...


def window_frames(bodies: list[Body]) -> list[WindowFrame]:
    neutral = np.array([3.0, 20.0, 1.0, 2.0], np.float32)
    return [WindowFrame(body, neutral) for body in bodies if isinstance(body, Responses)]


def test_the_warm_up_leaves_no_trace(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    config, folder = small_run(twin_folder()), twin_folder()
    assert config.decode is not None
    stage = assembled(config, detected_by="decoder", clock=clock).stage
    fresh = load_fitted_twin(folder, neurons=9).decoder(config.decode, clock=clock)
    compared = 0
    for item in rig.stream(30):
        bodies = list(stage.step([item]))
        found = [body for body in bodies if isinstance(body, Reconstruction)]
        frames = window_frames(bodies)
        expected = fresh.step(frames) if frames else []
        assert [one.frame for one in found] == [one.frame for one in expected]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours.luminance, theirs.luminance)
        compared += len(found)
    assert compared > 20


def test_the_twin_is_read_from_disk_once(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, load_twin = list[Path](), fitted_twin.load_twin
    monkeypatch.setattr(
        fitted_twin, "load_twin", lambda f, **given: (read.append(f), load_twin(f, **given))[1]
    )
    folder = twin_folder()
    assembled(small_run(folder), detected_by="decoder", clock=clock)
    assert read == [folder]


@pytest.mark.parametrize(("lag_scans", "latency_s"), [(0, 2 / 15), (1, 0.2), (4, 0.4)])
def test_responses_are_complete_two_scans_and_the_deconvolution_lag_later(
    small_run: MakeRun, lag_scans: int, latency_s: float
) -> None:
    config = small_run(None)
    calcium = config.calcium.model_copy(update={"deconvolution_lag_scans": lag_scans})
    lagged = config.model_copy(update={"calcium": calcium})
    assert response_latency_s(lagged) == pytest.approx(latency_s)


def test_while_the_cells_are_unknown_a_twin_of_any_size_is_loaded(twin_folder: MakeTwin) -> None:
    assert load_fitted_twin(twin_folder(neurons=5)).twin.spec.neurons == 5


def test_a_twin_of_other_neurons_is_refused(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    with pytest.raises(NeuronCountError, match=r"the ROIs give 9 neurons, but twin '.*' was .* 5"):
        assembled(small_run(twin_folder(neurons=5)), detected_by="decoder", clock=clock)


def test_a_decoder_without_a_twin_is_refused(small_run: MakeRun, clock: Clock) -> None:
    with pytest.raises(TwinMissingError):
        assembled(small_run(None, decode={}), detected_by="decoder", clock=clock)


def test_a_source_without_a_scan_rate_must_be_given_one(small_run: MakeRun, tmp_path: Path) -> None:
    source = {"kind": "raw_tail", "path": tmp_path / "scans.raw"}
    config = small_run(None, acquisition={"source": source})
    with pytest.raises(SettingMissingError, match=r"set acquisition\.source\.scan_rate_hz"):
        response_latency_s(config)


def of_rois(folder: Path, rois_hash: str) -> Path:
    """The twin in `folder`, as if it had been trained on the ROIs with that hash."""
    spec = json.loads((folder / "twin.json").read_text())
    spec["provenance"] = spec.get("provenance", {}) | {"rois_hash": rois_hash}
    (folder / "twin.json").write_text(json.dumps(spec))
    return folder


def test_a_twin_of_as_many_other_rois_is_refused_unless_they_were_matched(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    folder = of_rois(twin_folder(), rig.rois.hash)
    config = small_run(folder)
    assembled(config, detected_by="decoder", clock=clock)
    of_rois(folder, "0123456789abcdef")
    with pytest.raises(TwinRoisError, match="content hash 0123456789abcdef"):
        assembled(config, detected_by="decoder", clock=clock)
    with pytest.raises(TwinRoisError, match="content hash 0123456789abcdef"):
        checked(config)
    assert config.decode is not None
    matched = config.decode.model_copy(update={"rois_check": RoisCheck.COUNT})
    assembled(config.model_copy(update={"decode": matched}), detected_by="decoder", clock=clock)


def test_rois_that_are_detected_later_are_compared_with_those_of_the_twin(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    calcium = {"rois": None, "detector": "local_correlation", "detector_scans": 60}
    config = small_run(of_rois(twin_folder(), "0123456789abcdef"), calcium=calcium)
    stage = assembled(config, detected_by="decoder", clock=clock).stage
    with pytest.raises(TwinRoisError):
        list(stage.step(rig.stream(70)))
