"""Well-formed values that no genuine message has leave sums, memory and time in bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.evaluate.latency import Latencies
from rtdecode.evaluate.loop_latency import LoopLatency
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.bounded import OTHERS, RecentMessages, kept_name
from rtdecode.schema.control import Acknowledgement, Action, Delivery
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Body,
    DisplayedFrame,
    Event,
    Gap,
    Received,
    Reconstruction,
    Stamped,
)

INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 200)
PICTURE = np.zeros((1, 1), np.float32)
MANY = 5_000


def received(body: Body, *, seq: int = 0, t_ns: int = 0) -> Received:
    return Received(Stamped("decoder", seq, t_ns, "host", body), t_ns)


def frame(number: int, *, seq: int, t_ns: int = 10**9) -> Received:
    body = Reconstruction(
        PICTURE, PICTURE, number, 0, 0, 0, 0, 0, 0, lag_frames=8, steps=number, objective=0.0,
        warm=True, late=True,
    )  # fmt: skip
    return received(body, seq=seq, t_ns=t_ns)


@given(st.lists(INT64, min_size=2, max_size=8))
def test_any_flips_give_frames_within_an_hour_of_them(flips_ns: list[int]) -> None:
    truth, grid = TruthOnGrid(FrameGrid(1.0)), FrameGrid(1.0)
    for seq, flip_ns in enumerate(flips_ns):
        shown = DisplayedFrame("c", 0, np.zeros((1, 1), np.uint8), flip_ns, 1)
        found = list(truth.add_displayed(received(shown, seq=seq).message, shown))
        assert len(found) <= 3600
        assert all(grid.middle_ns(one.frame) < flip_ns for one in found)


@given(st.lists(st.floats(), max_size=20))
def test_a_latency_that_is_no_number_is_left_out(spans_ms: list[float]) -> None:
    latencies = Latencies()
    for span_ms in spans_ms:
        latencies.add({"scan": span_ms})
    finite = [span_ms for span_ms in spans_ms if math.isfinite(span_ms)]
    counted = latencies.summary()
    assert (counted["scan"].n if finite else 0) == len(finite)
    assert all(math.isfinite(one.max) for one in counted.values())


def test_one_impossible_frame_number_changes_no_later_count() -> None:
    count = OutputCount()
    for seq, number in enumerate((5, 6, 2**62, 8)):
        count.count(frame(number, seq=seq))
    assert count.frames_not_decoded == 0
    count.count(frame(12, seq=4))
    assert count.frames_not_decoded == 3


def test_a_frame_of_the_far_future_does_not_keep_all_later_ones_in_the_window() -> None:
    count = OutputCount()
    count.count(frame(1, seq=0, t_ns=2**62))
    for n in range(20_500):
        count.count(frame(2 + n, seq=1 + n, t_ns=n * 1_000_000))
    assert count.late_until(20_500 * 1_000_000).frames <= 20_000


def test_thousands_of_codes_streams_and_counts_are_summed_in_few_entries() -> None:
    count = OutputCount()
    for n in range(MANY):
        count.count(received(Event("alarm", f"process {n}", "code", f"text {n}")))
        count.count(received(Event("info", "one", "counts", "text", {f"count {n}": 1.0})))
        count.count(received(Gap(f"stream {n}", 0, 1, "recorder")))
        count.count(received(Gap(f"stream {n}", 0, 1, f"by {n}")))
        count.count(frame(n, seq=n))
    assert len(count.events) <= 301
    assert sum(one.times for one in count.events) == 2 * MANY
    assert sum(sum(one.counts.values()) for one in count.events) == MANY
    assert len(count.lost_by_stream) + len(count.missed) <= 1_002
    assert count.counters()["lost_messages"] == MANY
    assert sum(count.missed.values()) == MANY
    assert len(count.by_steps) <= 101
    assert count.by_steps.total() == MANY


def test_thousands_of_actions_and_outputs_are_counted_in_few_entries() -> None:
    loop = LoopLatency()
    for n in range(MANY):
        loop.add(Action(n, f"name {n}", "p", f"outcome {n}", "", 0, 0, 0, 0, 0))
        loop.add(Acknowledgement(n, f"result {n}", "name", "", 0, 2**62, 0))
        loop.add(Delivery(n, f"output {n}", 0, math.nan))
        loop.add(Delivery(n, f"failed {n}", 0, 0.0, "failed"))
    figures = loop.figures()
    assert sum(figures.command_results.values()) == MANY
    assert sum(figures.deliveries.values()) == sum(figures.failed_deliveries.values()) == MANY
    assert sum(sum(one.values()) for one in figures.actions.values()) == MANY
    tables = (figures.command_results, figures.deliveries, figures.failed_deliveries)
    assert all(len(table) <= 51 for table in (*tables, figures.actions))


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.integers(1, 4))
def test_a_table_of_names_keeps_its_first_ones_and_one_for_the_others(
    names: list[str], most: int
) -> None:
    counts: dict[str, int] = {}
    for name in names:
        key = kept_name(counts, name, most=most, others=OTHERS)
        counts[key] = counts.get(key, 0) + 1
    first = list(dict.fromkeys(names))[:most]
    assert [name for name in counts if name != OTHERS] == first
    assert sum(counts.values()) == len(names)


@pytest.mark.parametrize(("n_bytes", "kept"), [(10, 5), (6 * 1024 * 1024, 2), (2**25, 1)])
def test_messages_that_are_sent_again_are_bounded_in_number_and_bytes(
    n_bytes: int, kept: int
) -> None:
    recent = RecentMessages(5)
    for n in range(8):
        recent.append(bytes([n]) * n_bytes)
    assert [data[0] for data in recent] == list(range(8 - kept, 8))
