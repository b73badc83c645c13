from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.errors import CheckpointError, DivergedError
from rtdecode.schema.interfaces import Clock
from rtdecode.train.distributed import Machines
from rtdecode.train.starting_point import fresh_compact, receptive_field_centers, survey
from rtdecode.train.training import Progress, Training
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.poisson_loss import poisson_loss
from rtdecode.twins.twin import TwinSpec

SHORT = TrainingConfig(
    steps=12, batch=2, frames=8, warm_up_steps=2, validate_every=4, patience=9, average_decay=0.5
)
SIZES = {
    "taps": 6,
    "streams": 2,
    "orders": 2,
    "filter_px": 5,
    "hidden": 6,
    "features": 4,
    "response_taps": 2,
    "temporal_stride": 2,
}


class KilledError(Exception):
    """Stands for SIGKILL: the process is gone between two steps."""


def a_twin(data: SensoriumFolder) -> Compact:
    spec = TwinSpec(
        "compact",
        data.neurons,
        rows_px=data.rows_px,
        cols_px=data.cols_px,
        history_frames=7,
        sizes=SIZES,
    )
    return fresh_compact(spec, survey(data), receptive_field_centers(data), seed=3)


def a_training(
    twin: Compact, data: SensoriumFolder, config: TrainingConfig, folder: Path, clock: Clock
) -> Training:
    return Training(
        twin,
        data,
        config,
        checkpoint=folder / "training.safetensors",
        clock=clock,
        machines=Machines(),
    )


def killed_after(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.step == step:
            raise KilledError

    return report


def test_the_poisson_loss_is_least_at_the_recorded_activity() -> None:
    recorded = torch.rand(2, 3, 4) + 0.5
    at = {k: float(poisson_loss(recorded * k, recorded)) for k in (0.8, 1.0, 1.25)}
    assert at[1.0] < at[0.8]
    assert at[1.0] < at[1.25]


def test_training_predicts_trials_it_has_not_seen(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    config = SHORT.model_copy(
        update={"steps": 150, "validate_every": 50, "learning_rate": 0.02, "average_decay": 0.9}
    )
    outcome = a_training(a_twin(blob_session), blob_session, config, tmp_path, clock).run(
        lambda _: None
    )
    assert np.nanmean(outcome.single_trial_r) > 0.5
    assert outcome.standing.best_r == pytest.approx(np.nanmean(outcome.single_trial_r), abs=1e-6)


@pytest.mark.parametrize("killed_at", [5, 11])
def test_an_interrupted_training_resumes_with_identical_results(
    blob_session: SensoriumFolder, tmp_path: Path, slow_clock: Clock, killed_at: int
) -> None:
    whole, resumed = a_twin(blob_session), a_twin(blob_session)
    for folder in (tmp_path / "whole", tmp_path / "cut"):
        folder.mkdir()
    a_training(whole, blob_session, SHORT, tmp_path / "whole", slow_clock).run(lambda _: None)
    with pytest.raises(KilledError):
        a_training(a_twin(blob_session), blob_session, SHORT, tmp_path / "cut", slow_clock).run(
            killed_after(killed_at)
        )
    steps: list[int] = []
    a_training(resumed, blob_session, SHORT, tmp_path / "cut", slow_clock).run(
        lambda progress: steps.append(progress.step)
    )
    assert steps[0] == killed_at // 3 * 3 + 1
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_other_settings_is_refused(
    blob_session: SensoriumFolder, tmp_path: Path, slow_clock: Clock
) -> None:
    with pytest.raises(KilledError):
        a_training(a_twin(blob_session), blob_session, SHORT, tmp_path, slow_clock).run(
            killed_after(11)
        )
    other = SHORT.model_copy(update={"seed": 7})
    with pytest.raises(CheckpointError, match=r"another seed \(0 there, 7 here\)"):
        a_training(a_twin(blob_session), blob_session, other, tmp_path, slow_clock).run(
            lambda _: None
        )


def test_training_ends_at_its_time_limit(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    config = SHORT.model_copy(update={"steps": 10_000, "max_minutes": 0.1})
    outcome = a_training(a_twin(blob_session), blob_session, config, tmp_path, clock).run(
        lambda _: None
    )
    assert outcome.standing.step < 10
    assert outcome.standing.best_step > 0


def test_training_ends_when_validation_no_longer_improves(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    config = SHORT.model_copy(
        update={"steps": 500, "learning_rate": 1e-9, "validate_every": 1, "patience": 2}
    )
    seen: list[Progress] = []
    a_training(a_twin(blob_session), blob_session, config, tmp_path, clock).run(seen.append)
    assert seen[-1].step < 40


def test_progress_estimates_the_remaining_time(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    seen: list[Progress] = []
    a_training(a_twin(blob_session), blob_session, SHORT, tmp_path, clock).run(seen.append)
    assert [p.step for p in seen] == list(range(1, SHORT.steps + 1))
    assert seen[5].eta_s == pytest.approx(seen[5].elapsed_s)
    assert seen[-1].eta_s == 0


def test_a_diverging_training_is_reported(
    blob_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    twin = a_twin(blob_session)
    with torch.no_grad():
        twin.mix.fill_(float("nan"))
    with pytest.raises(DivergedError, match="step 0"):
        a_training(twin, blob_session, SHORT, tmp_path, clock).run(lambda _: None)


def test_missing_values_do_not_enter_the_loss() -> None:
    recorded = torch.rand(2, 3, 4) + 0.5
    predicted = (torch.rand(2, 3, 4) + 0.5).requires_grad_(True)
    holed = recorded.clone()
    holed[:, :, 1] = torch.nan
    loss = poisson_loss(predicted, holed)
    kept = [0, 2, 3]
    assert loss.item() == pytest.approx(
        poisson_loss(predicted[:, :, kept], recorded[:, :, kept]).item(), rel=1e-5
    )
    (gradient,) = torch.autograd.grad(loss, predicted)
    assert not gradient[:, :, 1].any()
    assert gradient[:, :, kept].all()
    nothing = torch.full_like(recorded, torch.nan)
    assert poisson_loss(predicted, nothing).item() == 0


def test_a_session_with_holes_trains_a_twin(
    holed_session: SensoriumFolder, tmp_path: Path, clock: Clock
) -> None:
    config = SHORT.model_copy(
        update={"steps": 150, "validate_every": 50, "learning_rate": 0.02, "average_decay": 0.9}
    )
    outcome = a_training(a_twin(holed_session), holed_session, config, tmp_path, clock).run(
        lambda _: None
    )
    assert np.nanmean(outcome.single_trial_r) > 0.4
