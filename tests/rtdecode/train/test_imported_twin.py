"""Weights alone become a twin that decodes, once prior and noise are measured on a session."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from torch.testing import assert_close

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.prior import fit_prior
from rtdecode.evaluate.metrics import pearson_r
from rtdecode.offline.methods import Online
from rtdecode.offline.trial import Input, trials_of
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import MissingFileError, SessionNeuronsError, UnreadableFileError
from rtdecode.train.imported_twin import measure_imported
from rtdecode.train.twin_fit import training_videos
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import DESCRIPTION, WEIGHTS, sizes_if_loaded
from rtdecode.twins.twin import TwinSpec


@pytest.fixture
def weights(blob_twin: Path, tmp_path: Path) -> Path:
    """A folder as an import leaves it."""
    folder = tmp_path / "imported"
    folder.mkdir()
    for name in (DESCRIPTION, WEIGHTS):
        shutil.copy(blob_twin / name, folder)
    return folder


def test_with_prior_and_noise_an_imported_twin_decodes_the_video(
    weights: Path, blob_session: SensoriumFolder
) -> None:
    with pytest.raises(MissingFileError, match=r"rtdecode import-twin --data"):
        load_fitted_twin(weights)
    measure_imported(weights, blob_session)
    fitted = load_fitted_twin(weights)
    assert fitted.sd is None
    assert_close(fitted.prior.power, fit_prior(training_videos(blob_session)).power)
    assert sizes_if_loaded(weights) is not None
    trial = next(trials_of(blob_session, "test", Input.RESPONSES))
    video = Online([fitted], DecodeConfig(window_frames=12, lag_frames=4, steps=2)).video(trial)
    given = np.isfinite(video).all((1, 2))
    assert pearson_r(trial.truth[given], video[given]) > 0.4


@pytest.mark.parametrize(
    ("neurons", "rows_px", "error"),
    [(3, None, SessionNeuronsError), (None, 5, UnreadableFileError)],
)
def test_a_session_of_other_neurons_or_another_screen_is_refused(
    tmp_path: Path,
    blob_session: SensoriumFolder,
    neurons: int | None,
    rows_px: int | None,
    error: type[Exception],
) -> None:
    spec = TwinSpec(
        "linear",
        neurons or blob_session.neurons,
        rows_px or blob_session.rows_px,
        blob_session.cols_px,
        sizes={"taps": 2},
    )
    save_twin(Linear(spec), tmp_path)
    with pytest.raises(error):
        measure_imported(tmp_path, blob_session)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DESCRIPTION, WEIGHTS]
