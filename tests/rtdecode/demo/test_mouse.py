"""A small demo mouse, made like the one that ships with the project."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.rois import Rois
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import segments
from rtdecode.decode.noise import load_noise
from rtdecode.decode.posterior import load_posterior_sd
from rtdecode.decode.prior import load_prior
from rtdecode.demo.mouse import (
    CALIBRATION_FILE,
    MASKS_FILE,
    DemoPlan,
    DemoRig,
    demo_rig,
    record_demo_session,
)
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.twins.folder import load_twin
from rtdecode.twins.record import sizes_if_loaded

DEMO = Path(__file__).resolve().parents[3] / "rtdecode" / "demo_mouse"
PLAN = DemoPlan(train=1, validation=1, test=1, seed=4, trial_s=4.0, calibration_s=5.0)
SMALL = SimulatedSource(neurons=12, rows_px=64, cols_px=64, scan_rate_hz=7.5)


class StandingClock:
    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the making of a mouse does not wait")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rois, Calibration]:
    folder = tmp_path_factory.mktemp("demo") / "session"
    reported: list[tuple[int, int]] = []
    rois, calibration = record_demo_session(
        folder,
        DemoRig(SMALL, CalciumConfig(), StandingClock()),
        PLAN,
        report=lambda done, total: reported.append((done, total)),
    )
    assert reported == [(1, 3), (2, 3), (3, 3)]
    return folder, rois, calibration


@pytest.mark.slow
def test_a_session_is_recorded_in_the_usual_layout(
    made: tuple[Path, Rois, Calibration],
) -> None:
    folder, rois, calibration = made
    data = SensoriumFolder(folder)
    assert list(data.tiers) == ["train", "oracle", "test"]
    assert (data.neurons, data.rows_px, data.cols_px) == (SMALL.neurons, 36, 64)
    assert rois.count == calibration.count == SMALL.neurons
    calibration.check(rois)
    for cut in segments(data, "train"):
        assert len(cut.video) == 120
        assert cut.responses.min() >= 0
        assert (cut.responses.std(0) > 0).all()


@pytest.mark.slow
def test_test_clips_differ_from_training_clips(made: tuple[Path, Rois, Calibration]) -> None:
    from rtdecode.train.starting_point import survey

    data = SensoriumFolder(made[0])
    trained = TrainedClips(survey(data).clip_hashes)
    assert trained.leak(data.video(0)) is not None
    assert trained.leak(data.video(data.trials("test")[0])) is None


@pytest.mark.slow
def test_activity_depends_on_the_screen(made: tuple[Path, Rois, Calibration]) -> None:
    """More of them fire together with what changed on the screen than chance would have it."""
    cut = SensoriumFolder(made[0]).segment(0)
    change = np.abs(np.diff(cut.video, axis=0)).mean((1, 2))
    late = [np.corrcoef(change[:-8], cut.responses[9:, n])[0, 1] for n in range(SMALL.neurons)]
    assert np.nanmean(late) > 0


def test_rig_and_chain_come_from_the_demo_config() -> None:
    rig = demo_rig(DEMO / "demo.yaml", neurons=None, clock=StandingClock())
    content = yaml.safe_load((DEMO / "demo.yaml").read_text())
    assert rig.source.neurons == content["acquisition"]["source"]["neurons"]
    assert rig.calcium.rois == DEMO / content["calcium"]["rois"]
    assert rig.calcium.deconvolution_lag_scans == 1
    fewer = demo_rig(DEMO / "demo.yaml", neurons=50, clock=StandingClock())
    assert fewer.source == rig.source.model_copy(update={"neurons": 50})


def test_the_config_of_another_rig_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rig.yaml").write_text("acquisition: {source: {kind: raw_movie}}\n")
    with pytest.raises(UnreadableFileError, match=r"rig\.yaml.*simulated, got raw_movie"):
        demo_rig(tmp_path / "rig.yaml", neurons=None, clock=StandingClock())


def test_the_files_of_the_shipped_mouse_are_complete_and_consistent() -> None:
    source = demo_rig(DEMO / "demo.yaml", neurons=None, clock=StandingClock()).source
    rois, twin = Rois.load(DEMO / MASKS_FILE), load_twin(DEMO)
    Calibration.load(DEMO / CALIBRATION_FILE).check(rois)
    assert rois.count == twin.spec.neurons == source.neurons
    assert len(load_noise(DEMO, neurons=source.neurons).dispersion) == source.neurons
    assert load_prior(DEMO).mean.shape == (36, 64)
    assert load_posterior_sd(DEMO, shape=(36, 64)) is not None
    assert np.load(DEMO / "mask.npy").any()
    sizes = sizes_if_loaded(DEMO)
    assert sizes is not None
    assert sizes.neurons == source.neurons
    assert twin.spec.training_clips
