"""The simulated rig: order, seeds, causality, and that its activity can be decoded."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.messages import Behaviour, Scan

SMALL = SimulatedSource(neurons=40, rows_px=64, cols_px=64, scan_rate_hz=13.0)
END_NS = 1_000_000_000
RNG = np.random.default_rng(7)
MOVIE = RNG.integers(0, 256, (30, 36, 64)).astype(np.uint8)
Bodies = list[Scan | Behaviour]


def watched(
    rig: SimulatedMicroscope, movie: np.ndarray = MOVIE, cuts_ns: list[int] | None = None
) -> Bodies:
    """What `rig` measures of `movie` when it is asked at `cuts_ns` and after each frame."""
    asked = sorted({round((k + 1) * 1e9 / 30) for k in range(30)} | set(cuts_ns or []))
    shown, bodies = 0, Bodies()
    for t_ns in asked:
        while shown < len(movie) and round(shown * 1e9 / 30) <= t_ns:
            rig.show(movie[shown], round(shown * 1e9 / 30))
            shown += 1
        bodies.extend(rig.advance_to(t_ns))
    return bodies


def scans(bodies: Bodies) -> list[Scan]:
    return [body for body in bodies if isinstance(body, Scan)]


def due_ns(body: Scan | Behaviour) -> int:
    return body.t_end_ns if isinstance(body, Scan) else body.t_sample_ns


BASELINE = watched(SimulatedMicroscope(SMALL, 1))


def test_scans_are_numbered_and_join_without_a_gap() -> None:
    found = scans(BASELINE)
    assert [scan.number for scan in found] == list(range(13))
    assert found[0].t_start_ns == 0
    assert all(a.t_end_ns == b.t_start_ns for a, b in pairwise(found))
    assert {(s.pixels_counts.shape, s.pixels_counts.dtype.name) for s in found} == {
        ((64, 64), "uint16")
    }


def test_all_comes_in_the_order_in_which_it_is_due() -> None:
    due = [due_ns(body) for body in BASELINE]
    assert due == sorted(due)
    assert sum(isinstance(body, Behaviour) for body in BASELINE) == 61


@settings(max_examples=8)
@given(cuts_ns=st.lists(st.integers(0, END_NS), max_size=20))
def test_the_result_does_not_depend_on_the_steps(cuts_ns: list[int]) -> None:
    again = watched(SimulatedMicroscope(SMALL, 1), cuts_ns=cuts_ns)
    assert [due_ns(body) for body in again] == [due_ns(body) for body in BASELINE]
    for one, other in zip(scans(again), scans(BASELINE), strict=True):
        np.testing.assert_array_equal(one.pixels_counts, other.pixels_counts)


def test_what_is_shown_later_changes_nothing_before() -> None:
    changed = MOVIE.copy()
    changed[15:] = 255 - changed[15:]
    again = scans(watched(SimulatedMicroscope(SMALL, 1), changed))
    same = [
        np.array_equal(a.pixels_counts, b.pixels_counts)
        for a, b in zip(again, scans(BASELINE), strict=True)
    ]
    assert all(same[:6])
    assert not all(same)


def test_another_run_has_the_same_cells_and_other_chances() -> None:
    one, two = SimulatedMicroscope(SMALL, 1), SimulatedMicroscope(SMALL, 2)
    for (pixels, weights), (same_pixels, same_weights) in zip(
        one.footprints(), two.footprints(), strict=True
    ):
        np.testing.assert_array_equal(pixels, same_pixels)
        np.testing.assert_array_equal(weights, same_weights)
    first, other = scans(BASELINE)[5], scans(watched(two))[5]
    assert not np.array_equal(first.pixels_counts, other.pixels_counts)


def test_scans_can_begin_at_any_time() -> None:
    rig = SimulatedMicroscope(SMALL, 1, t_start_ns=5_000_000_000)
    assert rig.next_due_ns == 5_000_000_000
    first = next(body for body in rig.advance_to(5_100_000_000) if isinstance(body, Scan))
    assert (first.t_start_ns, first.number) == (5_000_000_000, 0)


@pytest.mark.parametrize(("rows", "cols", "rate"), [(512, 512, 30.0), (128, 256, 8.0)])
def test_sizes_and_rates_of_real_rigs(rows: int, cols: int, rate: float) -> None:
    config = SMALL.model_copy(update={"rows_px": rows, "cols_px": cols, "scan_rate_hz": rate})
    found = scans(list(SimulatedMicroscope(config, 1).advance_to(500_000_000)))
    assert len(found) == int(rate / 2)
    assert found[0].pixels_counts.shape == (rows, cols)


def test_fluorescence_in_the_footprints_follows_the_neurons_rates() -> None:
    config = SimulatedSource(neurons=60, rows_px=96, cols_px=96, motion_px=0.0)
    rig, rates, traces = SimulatedMicroscope(config, 1), [], []
    rng = np.random.default_rng(3)
    rois = rig.footprints()
    for k in range(900):
        if k % 10 == 0:
            frame = np.kron(rng.integers(0, 2, (3, 4)) * 200, np.ones((12, 16))).astype(np.uint8)
        rig.show(frame, round(k * 1e9 / 30))
        for scan in scans(list(rig.advance_to(round((k + 1) * 1e9 / 30)))):
            flat = scan.pixels_counts.ravel()
            traces.append([flat[pixels] @ weights for pixels, weights in rois])
            rates.append(rig.mouse.rates_hz)
    rate, trace = np.array(rates), np.array(traces)
    smooth = np.array([np.convolve(r, np.exp(-np.arange(30) / 6))[: len(rate)] for r in rate.T]).T
    r = [np.corrcoef(smooth[60:, n], trace[60:, n])[0, 1] for n in range(60)]
    assert np.median(r) > 0.35
