from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.offline.screen_masks import fit_transparency, save_mask
from rtdecode.schema.errors import EmptyMaskError
from rtdecode.twins.twin import TwinSpec


class LeftLooking(nn.Module):
    """A twin whose neurons see nothing but the light in the left half of the screen."""

    def __init__(self, data: SensoriumFolder) -> None:
        super().__init__()
        self.spec = TwinSpec("left", data.neurons, rows_px=12, cols_px=16, history_frames=4)

    def forward(self, video: Tensor, behaviour: Tensor) -> Tensor:
        patches = video[..., :6].unflatten(2, (3, 4)).unflatten(4, (2, 3)).mean((3, 5))
        seen = torch.relu(patches.flatten(2) - 90) / 20
        return torch.cat([seen, seen], 2)[..., : self.spec.neurons]


def test_the_mask_grows_where_the_neurons_look(blob_session: SensoriumFolder) -> None:
    alpha = fit_transparency(LeftLooking(blob_session), blob_session, steps=60, seed=0)
    assert alpha.shape == (12, 16)
    assert alpha[:, :6].mean() > 1.3 * alpha[:, 10:].mean()


def test_the_seed_decides(blob_session: SensoriumFolder) -> None:
    one, same, other = (
        fit_transparency(LeftLooking(blob_session), blob_session, steps=3, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_pixels_from_a_transparency_of_1_on_are_scored(tmp_path: Path) -> None:
    alpha = np.array([[0.2, 1.0], [1.7, 0.99]], np.float32)
    save_mask(alpha, tmp_path / "new" / "m.npy")
    assert np.load(tmp_path / "new" / "m.npy").tolist() == [[False, True], [True, False]]
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "m_transparency.npy"), alpha)


def test_another_threshold_can_be_asked_for(tmp_path: Path) -> None:
    alpha = np.array([[0.2, 0.5], [0.7, 0.49]], np.float32)
    scored = save_mask(alpha, tmp_path / "m.npy", scored_from=0.5)
    assert scored.tolist() == [[False, True], [True, False]]


def test_a_mask_without_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyMaskError, match=r"highest is 0\.40"):
        save_mask(np.full((2, 2), 0.4, np.float32), tmp_path / "m.npy")


def test_the_mask_grows_though_neurons_were_not_measured_all_the_time(
    holed_session: SensoriumFolder,
) -> None:
    alpha = fit_transparency(LeftLooking(holed_session), holed_session, steps=60, seed=0)
    assert alpha[:, :6].mean() > 1.3 * alpha[:, 10:].mean()
