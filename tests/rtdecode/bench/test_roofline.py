"""Operations and bytes of a step are those of its shapes, and each call has its place."""

import math

import pytest
import roofline
import torch
from roofline import LiveStep, copy_gb_per_s, plain_step, product_gflops
from step_parts import Call, Recorder, parts, recording
from timed_decoder import TWIN

from rtdecode.bench.decoder import load_population
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.twins.compact import drive

NEURONS = 40
WANTED, FREE, KEPT = 6, 12, 18 * 32
"""Frames that are compared, estimated frames, and coefficients of a frame."""
ROWS, COLS, STREAMS, ORDERS, HIDDEN, FEATURES = 18, 32, 2, 4, 48, 32


@pytest.fixture(scope="module")
def fitted() -> FittedTwin:
    torch.set_num_threads(1)
    return load_population(TWIN).of(NEURONS)


@pytest.fixture(scope="module")
def calls(fitted: FittedTwin) -> list[Call]:
    live = LiveStep(fitted)
    live()
    with recording() as recorder:
        live()
    return recorder.calls


def operations(calls: list[Call], place: str, equations: str) -> float:
    chosen = [one for one in calls if (one.place, one.equations) == (place, equations)]
    assert chosen
    return sum(one.operations for one in chosen)


@pytest.mark.parametrize("name", ["forward", "vjp"])
def test_operations_of_the_products_are_those_that_the_equations_cost(
    calls: list[Call], name: str
) -> None:
    """The formulae of "Cost" in `rtdecode.twins.compact`; its maps here have a border of one."""
    filters = 2 * WANTED * STREAMS * FREE * KEPT
    columns = 2 * WANTED * STREAMS * KEPT * COLS * ORDERS
    rows = 2 * WANTED * STREAMS * 18 * ROWS * COLS * ORDERS**2
    mixing = 2 * WANTED * ROWS * COLS * STREAMS * ORDERS**2 * HIDDEN
    second = 18 * WANTED * ROWS // 2 * (COLS // 2 + 2) * HIDDEN * FEATURES
    mark = "" if name == "forward" else "'"
    assert operations(calls, f"FilterPass.{name}", f"(2{mark})") == filters
    assert operations(calls, f"FilterPass.{name}", f"(3{mark})") == columns + rows
    assert operations(calls, f"CompactDrive.{name}", f"(4{mark})") == mixing
    products = [
        one.operations
        for one in calls
        if (one.place, one.equations) == (f"CompactDrive.{name}", f"(10{mark})") and one.sizes
    ]
    assert len(products) == 9
    assert sum(products) == second


def test_the_readout_costs_as_much_for_each_neuron(calls: list[Call]) -> None:
    reads = 9 * WANTED * NEURONS * (HIDDEN + FEATURES)
    found = operations(calls, "CompactDrive.forward", "(11)")
    assert found == pytest.approx(reads, abs=WANTED * NEURONS)
    back = operations(calls, "CompactDrive.vjp", "(11')")
    assert back == pytest.approx(8 * WANTED * NEURONS * (HIDDEN + FEATURES))


def test_every_call_that_computes_has_a_place(calls: list[Call]) -> None:
    assert [one for one in calls if one.operations and not one.place] == []
    assert all(one.ns > 0 for one in calls)
    places = {one.place for one in calls}
    assert {"Solver.improve", "quasi_score_on_host", "EstimatedFrames.adjoint"} <= places
    assert {one.equations for one in calls if one.place == "CompactDrive.vjp"} == {
        "(12')", "(11')", "(10')", "(9'), (8')", "(7')", "(6'), (5')", "(4')",
    }  # fmt: skip


def test_bytes_are_those_of_the_arrays_each_once() -> None:
    first, second, out = torch.ones(2, 3), torch.ones(3, 4), torch.empty(2, 4)
    with Recorder() as recorder:
        torch.mm(first, second, out=out)
        torch.mul(first, first, out=first)
        torch.bmm(torch.ones(1, 2, 3).expand(5, 2, 3), torch.ones(5, 3, 4))
        first.view(3, 2)
    product, square, *made, stack, view = [one for one in recorder.calls if one.ns]
    assert (product.operations, product.bytes, product.sizes) == (48, 4 * 26, (1, 2, 4, 3))
    assert (square.operations, square.bytes) == (6, 24)
    assert (stack.operations, stack.bytes, stack.sizes) == (240, 4 * (6 + 60 + 40), (5, 2, 4, 3))
    assert (view.operations, view.bytes) == (0, 0)
    assert all(not one.sizes for one in made)


def test_parts_are_sums_of_calls_and_medians_of_steps() -> None:
    def step(us: int) -> list[Call]:
        products = Call("f", "(1)", 10, 8, 1000 * us, (1, 1, 5, 1))
        return [products, Call("f", "(1)", 2, 4, 500), Call("g", "", 1, 1, 100)]

    first, second = parts([step(1), step(3), step(9)])
    assert (first.place, first.equations, first.operations, first.bytes) == ("f", "(1)", 12, 12)
    assert first.in_products == 10
    assert first.us == 3.5
    assert second.us == pytest.approx(0.1)


def test_recording_changes_neither_the_step_nor_the_loops(fitted: FittedTwin) -> None:
    loop = drive.bilinear_readout
    recorded, plain = LiveStep(fitted), LiveStep(fitted)
    for _ in range(3):
        plain.arrive()
        plain()
        recorded.arrive()
        with recording():
            recorded()
    assert drive.bilinear_readout is loop
    found, expected = (one.solver.result(back=3)[0] for one in (recorded, plain))
    assert math.isclose(float(abs(found - expected).max()), 0)


def test_the_roofline_adds_up(fitted: FittedTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "product_gflops", lambda sizes: float(sizes[1]))
    monkeypatch.setattr(roofline, "copy_gb_per_s", lambda _: 1.0)
    found = roofline.roofline(fitted, steps=6)
    assert found["peak_gflops"] == max(one["sizes"][1] for one in found["products"])
    assert found["operations"] == sum(row["operations"] for row in found["parts"])
    assert found["in_products"] < found["operations"]
    step_us = 1e3 * found["step_ms"]["median"]
    assert found["in_parts_us"] + found["between_us"] == pytest.approx(step_us)
    assert found["share_of_peak"] == pytest.approx(
        found["operations"] / step_us / 1e3 / found["peak_gflops"]
    )
    assert found["autograd_ratio"]["median"] > 0


def test_the_plain_step_is_differentiated_automatically(fitted: FittedTwin) -> None:
    step = plain_step(fitted)
    with recording() as recorder:
        step()
    assert not {one.place for one in recorder.calls} & {"CompactDrive.forward", "CompactDrive.vjp"}


def test_rates_are_measured() -> None:
    assert product_gflops((1, 8, 8, 8), seconds=0.01) > 0
    assert product_gflops((3, 8, 8, 8), seconds=0.01) > 0
    assert copy_gb_per_s(1 << 12, seconds=0.01) > 0
