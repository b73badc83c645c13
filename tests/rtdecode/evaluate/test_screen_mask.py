"""The mask is the file's, or the whole screen; a wrong file says what is wrong with it."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def masked_by(path: Path | None) -> RunConfig:
    return RunConfig(evaluate=EvaluateConfig(mask=path))


def test_without_a_file_the_whole_screen_counts() -> None:
    mask = scoring_mask(masked_by(None))
    assert mask.shape == (36, 64)
    assert mask.all()


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    mask = np.zeros((36, 64), bool)
    mask[3:9, 4] = True
    np.save(tmp_path / "m.npy", mask)
    np.testing.assert_array_equal(scoring_mask(masked_by(tmp_path / "m.npy")), mask)


@pytest.mark.parametrize(
    "wrong",
    [np.ones((36, 63), bool), np.ones((36, 64), np.uint8), np.zeros((36, 64), bool)],
)
def test_a_wrong_mask_is_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    np.save(tmp_path / "m.npy", wrong)
    with pytest.raises(UnreadableFileError, match=r"expected a bool \.npy of shape"):
        scoring_mask(masked_by(tmp_path / "m.npy"))


def test_no_numpy_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.npy").write_text("mask")
    with pytest.raises(UnreadableFileError, match="scoring mask"):
        scoring_mask(masked_by(tmp_path / "m.npy"))


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="fit mask"):
        scoring_mask(masked_by(tmp_path / "m.npy"))
