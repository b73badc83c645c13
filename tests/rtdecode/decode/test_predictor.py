"""However a twin is asked about a window, the answer is that of the whole window."""

import pytest
import torch

from rtdecode.decode.predictor import CompactPredictor, WholeWindow, predictor
from rtdecode.decode.twin import Twin, TwinSpec
from rtdecode.decode.twins.compact import Compact
from rtdecode.decode.twins.linear import Linear

ROWS, COLS, NEURONS = 12, 16, 6
GENERATOR = torch.Generator().manual_seed(0)


def compact(*, frozen: bool = True) -> Compact:
    spec = TwinSpec("compact", NEURONS, rows_px=ROWS, cols_px=COLS)
    twin = Compact(spec, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        twin.behaviour_gain.normal_(generator=torch.Generator().manual_seed(1))
    return twin.requires_grad_(not frozen)


def window(history: int, free: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    video = torch.rand(history + free, ROWS, COLS, generator=GENERATOR) * 255
    behaviour = torch.randn(history + free, 4, generator=GENERATOR)
    return video[:history], video[history:].requires_grad_(), behaviour


@pytest.mark.parametrize("every", [None, 1])
@pytest.mark.parametrize(("history", "free"), [(24, 12), (7, 5), (0, 20), (3, 1), (24, 11)])
def test_a_compact_twin_says_the_same_with_its_old_frames_worked_out_once(
    history: int, free: int, every: int | None
) -> None:
    twin = compact()
    old, new, behaviour = window(history, free)
    fast = CompactPredictor(twin, history=history, free=free, every=every)
    plain = WholeWindow(twin, free=free, every=every)
    assert fast.every == plain.every
    for _ in range(2):
        predicted, expected = (ask(old, new, behaviour) for ask in (fast, plain))
        torch.testing.assert_close(predicted, expected, rtol=1e-4, atol=1e-4)
        slope, expected_slope = (
            torch.autograd.grad(told.square().sum(), new)[0] for told in (predicted, expected)
        )
        largest = float(expected_slope.abs().max())
        torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-4 * largest)
        old = old + 10


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
    assert isinstance(predictor(twin, history=4, free=4), expected)
