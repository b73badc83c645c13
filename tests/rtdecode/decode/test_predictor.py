"""Predictions of the estimated frames are those of the whole horizon, with both predictors."""

import pytest
import torch

from rtdecode.decode.predictor import CompactPredictor, HorizonPredictor, predictor
from rtdecode.twins.basis import Basis, cosine_basis
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import Twin, TwinSpec

ROWS, COLS, NEURONS = 12, 16, 6
BASIS = Basis(
    cosine_basis(ROWS, kept=5), cosine_basis(COLS, kept=8), torch.full((ROWS, COLS), 100.0)
)
GENERATOR = torch.Generator().manual_seed(0)


def compact(*, frozen: bool = True) -> Compact:
    spec = TwinSpec("compact", NEURONS, rows_px=ROWS, cols_px=COLS)
    twin = Compact(spec, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        twin.behaviour_gain.normal_(generator=torch.Generator().manual_seed(1))
    return twin.requires_grad_(not frozen)


def frames(count: int) -> torch.Tensor:
    return 50 * torch.randn(count, 5, 8, generator=GENERATOR)


def some_behaviour(count: int) -> torch.Tensor:
    return torch.randn(count, 4, generator=GENERATOR)


@pytest.mark.parametrize("stride", [None, 1])
@pytest.mark.parametrize(("history", "estimated"), [(24, 12), (7, 5), (0, 20), (3, 1), (24, 11)])
def test_both_predictors_agree_for_a_compact_twin(
    history: int, estimated: int, stride: int | None
) -> None:
    twin = compact()
    fast = CompactPredictor(twin, BASIS, history=history, estimated=estimated, stride=stride)
    plain = HorizonPredictor(twin, BASIS, estimated=estimated, stride=stride)
    assert fast.stride == plain.stride
    for _ in range(2):
        old, new = frames(history), frames(estimated).requires_grad_()
        behaviour = some_behaviour(history + estimated)
        predicted, expected = (one.given(old, behaviour)(new) for one in (fast, plain))
        torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-4)
        slope, expected_slope = (
            torch.autograd.grad(activity.square().sum(), new)[0]
            for activity in (predicted, expected)
        )
        largest = float(expected_slope.abs().max())
        torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("stride", [None, 1])
@pytest.mark.parametrize("moves", [(1, 1, 1), (2, 1, 3), (0, 5), (9, 1), (30,)])
def test_a_shifted_horizon_is_predicted_as_a_new_one(
    moves: tuple[int, ...], stride: int | None
) -> None:
    """The kept drive of the history was computed with all frames within the filters."""
    history, estimated, reach = 24, 6, 15
    twin, everything, behaviour = compact(), frames(80), some_behaviour(80)
    moving = CompactPredictor(twin, BASIS, history=history, estimated=estimated, stride=stride)
    whole = CompactPredictor(
        twin, BASIS, history=history + reach, estimated=estimated, stride=stride
    )
    start = reach
    moving.given(
        everything[start : start + history], behaviour[start : start + history + estimated]
    )
    for moved in moves:
        start += moved
        now, stop = start + history, start + history + estimated
        predict = moving.given(everything[start:now], behaviour[start:stop], moved=moved)
        longer = whole.given(everything[start - reach : now], behaviour[start - reach : stop])
        new = everything[now:stop]
        torch.testing.assert_close(predict(new), longer(new), rtol=1e-4, atol=1e-4)


def linear() -> Linear:
    spec = TwinSpec("linear", NEURONS, rows_px=ROWS, cols_px=COLS, sizes={"taps": 2})
    return Linear(spec).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        (compact(), CompactPredictor),
        (compact(frozen=False), HorizonPredictor),
        (linear(), HorizonPredictor),
    ],
)
def test_a_frozen_compact_twin_on_the_host_has_the_fast_predictor(
    twin: Twin, expected: type
) -> None:
    assert isinstance(predictor(twin, BASIS, history=4, estimated=4), expected)
