"""Seen and missing numbers of a stream add up to the numbers that were sent."""

from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import Gap
from rtdecode.schema.sequence_tracker import SequenceTracker

STREAM = "bridge/behaviour"


def recorder() -> SequenceTracker:
    return SequenceTracker(detected_by="recorder", first_expected=0)


def missing_of(gaps: list[Gap | None]) -> set[int]:
    """Numbers that the gaps name."""
    found = [gap for gap in gaps if gap is not None]
    return {gap.first_missing + n for gap in found for n in range(gap.n_missing)}


@given(numbers=st.lists(st.integers(0, 60), min_size=1), first=st.sampled_from([None, 0]))
def test_seen_and_missing_add_up_to_the_numbers_spanned(
    numbers: list[int], first: int | None
) -> None:
    tracker = SequenceTracker(detected_by="t", first_expected=first)
    gaps = [tracker.add(STREAM, seq) for seq in numbers]
    count = tracker.streams[STREAM]
    begun = numbers[0] if first is None else first
    seen = count.messages - count.repeated
    assert seen + count.lost == max(numbers) - begun + 1
    assert len(missing_of(gaps)) == count.lost == tracker.n_missing


@given(came=st.sets(st.integers(0, 60)), beyond=st.integers(0, 9))
def test_with_the_last_number_sent_the_missing_tail_is_part_of_the_count(
    came: set[int], beyond: int
) -> None:
    last = max(came, default=0) + beyond
    tracker = recorder()
    gaps = [tracker.add(STREAM, seq) for seq in sorted(came)]
    tracker.expect_last(STREAM, last)
    gaps.extend(tracker.missing_tails())
    missing = missing_of(gaps)
    assert missing == set(range(last + 1)) - came
    count = tracker.streams[STREAM]
    assert (count.messages, count.lost) == (len(came), len(missing))
    assert list(tracker.missing_tails()) == []


@given(runs=st.lists(st.lists(st.integers(0, 30), min_size=1), min_size=1, max_size=4))
def test_the_sum_holds_for_each_run_of_a_restarted_sender(runs: list[list[int]]) -> None:
    tracker, expected = recorder(), 0
    for numbers in runs:
        for seq in numbers:
            tracker.add(STREAM, seq)
        expected += max(numbers) + 1
        tracker.restart(STREAM)
    count = tracker.streams[STREAM]
    assert count.messages - count.repeated + count.lost == expected
    assert count.restarts == len(runs)


def test_each_stream_is_counted_apart() -> None:
    tracker = recorder()
    assert tracker.add("bridge/behaviour", 0) is None
    gap = tracker.add("other/behaviour", 3)
    assert gap is not None
    assert (gap.stream, gap.first_missing, gap.n_missing) == ("other/behaviour", 0, 3)
    assert gap.detected_by == "recorder"
    assert tracker.add("bridge/behaviour", 1) is None


def test_a_repeated_number_is_no_loss() -> None:
    tracker = recorder()
    assert [tracker.add(STREAM, seq) for seq in (0, 1, 2, 1, 3)] == [None] * 5
    count = tracker.streams[STREAM]
    assert (count.messages, count.lost, count.repeated) == (5, 0, 1)


def test_a_restarted_sender_loses_nothing_and_its_old_last_number_is_void() -> None:
    tracker = recorder()
    for seq in (0, 1, 2):
        tracker.add(STREAM, seq)
    tracker.expect_last(STREAM, 2)
    tracker.restart(STREAM)
    assert [tracker.add(STREAM, seq) for seq in (0, 1)] == [None, None]
    assert list(tracker.missing_tails()) == []
    assert tracker.streams[STREAM].restarts == 1


def test_a_restarted_source_starts_its_own_streams_anew_and_no_others() -> None:
    tracker = SequenceTracker(detected_by="decoder")
    for stream in ("bridge/scan", "bridge/behaviour", "bridge2/scan"):
        tracker.add(stream, 5)
    tracker.restart_source("bridge")
    repeated = [tracker.is_repeated(name, 0) for name in tracker.streams]
    assert repeated == [False, False, True]


def test_a_stream_of_which_nothing_arrived_is_wholly_missing() -> None:
    tracker = recorder()
    tracker.expect_last("bridge/scan", 9)
    [gap] = tracker.missing_tails()
    assert (gap.stream, gap.first_missing, gap.n_missing) == ("bridge/scan", 0, 10)
