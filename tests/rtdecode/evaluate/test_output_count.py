"""Gaps are counted once, however many processes detected them."""

from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.messages import Body, Command, Gap, Received, Stamped


def received(body: Body) -> Received:
    return Received(Stamped("decoder", 0, 0, "host", body), 0)


@given(st.lists(st.integers(1, 100), min_size=1), st.integers(1, 3))
def test_a_gap_that_many_detected_counts_once(gaps: list[int], detectors: int) -> None:
    count = OutputCount()
    for watcher in range(detectors):
        for missing in gaps:
            count.count(received(Gap("bridge/scan", 0, missing, f"watcher{watcher}")))
    count.count(received(Gap("stimulus/displayed_frame", 0, 2, "view")))
    assert count.lost_by_stream == {"bridge/scan": sum(gaps), "stimulus/displayed_frame": 2}
    assert count.counters()["lost_messages"] == sum(gaps) + 2


def test_other_messages_are_passed_over() -> None:
    count = OutputCount()
    count.count(received(Command("decoder", "stop", "")))
    assert set(count.counters().values()) == {0.0}
