"""The linear twin equals its formula and is causal."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec


def some_twin() -> Linear:
    twin = Linear(TwinSpec("linear", 3, 4, 5, sizes={"taps": 3}, luminance_mean=100.0))
    generator = torch.Generator().manual_seed(0)
    for parameter in twin.parameters():
        parameter.data.normal_(generator=generator)
    return twin.requires_grad_(requires_grad=False)


def predicted(twin: Linear, video: np.ndarray) -> np.ndarray:
    return twin(torch.from_numpy(video)[None].float(), torch.zeros(1, len(video), 4))[0].numpy()


def test_the_prediction_is_a_weighted_sum_of_recent_luminance() -> None:
    twin, video = some_twin(), np.random.default_rng(0).uniform(0, 255, (6, 4, 5))
    scaled = (video - 100) / 60.9
    oldest, older, newest = twin.temporal[0].numpy()
    moved = oldest * scaled[3] + older * scaled[4] + newest * scaled[5]
    expected = (twin.spatial.numpy() * moved).sum((1, 2)) + twin.bias.numpy()
    np.testing.assert_allclose(predicted(twin, video)[5], expected, rtol=1e-4)


@given(share=st.floats(-2, 3))
def test_the_prediction_of_a_mixture_is_the_mixture_of_the_predictions(share: float) -> None:
    twin, rng = some_twin(), np.random.default_rng(1)
    one, other = rng.uniform(0, 255, (2, 5, 4, 5))
    mixed = predicted(twin, share * one + (1 - share) * other)
    parts = share * predicted(twin, one) + (1 - share) * predicted(twin, other)
    np.testing.assert_allclose(mixed, parts, atol=2e-3)


def test_mean_grey_gives_the_bias_and_predictions_may_be_below_0() -> None:
    twin = some_twin()
    np.testing.assert_allclose(
        predicted(twin, np.full((4, 4, 5), 100.0)), twin.bias.expand(4, -1), rtol=1e-6
    )
    assert predicted(twin, np.random.default_rng(2).uniform(0, 255, (9, 4, 5))).min() < 0


@pytest.mark.parametrize("changed", [2, 5])
def test_later_frames_do_not_change_earlier_predictions(changed: int) -> None:
    twin, video = some_twin(), np.random.default_rng(3).uniform(0, 255, (7, 4, 5))
    other = video.copy()
    other[changed:] = 0
    np.testing.assert_allclose(
        predicted(twin, video)[:changed], predicted(twin, other)[:changed], rtol=1e-5
    )
