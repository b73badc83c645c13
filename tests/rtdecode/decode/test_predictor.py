"""However a twin is asked about a window, the answer is that of the whole window."""

import pytest
import torch

from rtdecode.decode.predictor import CompactPredictor, WholeWindow, predictor
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


@pytest.mark.parametrize("every", [None, 1])
@pytest.mark.parametrize(("history", "free"), [(24, 12), (7, 5), (0, 20), (3, 1), (24, 11)])
def test_a_compact_twin_says_the_same_in_the_fast_way(
    history: int, free: int, every: int | None
) -> None:
    twin = compact()
    fast = CompactPredictor(twin, BASIS, history=history, free=free, every=every)
    plain = WholeWindow(twin, BASIS, free=free, every=every)
    assert fast.every == plain.every
    for _ in range(2):
        old, new = frames(history), frames(free).requires_grad_()
        behaviour = some_behaviour(history + free)
        predicted, expected = (ask.given(old, behaviour)(new) for ask in (fast, plain))
        torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-4)
        slope, expected_slope = (
            torch.autograd.grad(told.square().sum(), new)[0] for told in (predicted, expected)
        )
        largest = float(expected_slope.abs().max())
        torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-4 * largest)


@pytest.mark.parametrize("every", [None, 1])
@pytest.mark.parametrize("moves", [(1, 1, 1), (2, 1, 3), (0, 5), (9, 1), (30,)])
def test_a_window_that_moves_on_is_told_as_if_it_were_new(
    moves: tuple[int, ...], every: int | None
) -> None:
    """What is kept of old frames was worked out with all frames that the filters reach."""
    history, free, reach = 24, 6, 15
    twin, everything, behaviour = compact(), frames(80), some_behaviour(80)
    moving = CompactPredictor(twin, BASIS, history=history, free=free, every=every)
    whole = CompactPredictor(twin, BASIS, history=history + reach, free=free, every=every)
    start = reach
    moving.given(everything[start : start + history], behaviour[start : start + history + free])
    for moved in moves:
        start += moved
        now, stop = start + history, start + history + free
        predict = moving.given(everything[start:now], behaviour[start:stop], moved=moved)
        longer = whole.given(everything[start - reach : now], behaviour[start - reach : stop])
        new = everything[now:stop]
        torch.testing.assert_close(predict(new), longer(new), rtol=1e-4, atol=1e-4)


def linear() -> Linear:
    spec = TwinSpec("linear", NEURONS, rows_px=ROWS, cols_px=COLS, sizes={"taps": 2})
    return Linear(spec).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("twin", "expected"),
    [(compact(), CompactPredictor), (compact(frozen=False), WholeWindow), (linear(), WholeWindow)],
)
def test_a_frozen_compact_twin_on_the_host_is_asked_the_fast_way(
    twin: Twin, expected: type
) -> None:
    assert isinstance(predictor(twin, BASIS, history=4, free=4), expected)
