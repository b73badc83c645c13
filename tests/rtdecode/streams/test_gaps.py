"""Missing numbers become Gaps, repetitions are dropped, and the counts add up."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import Behaviour, Gap, Health, Received, Stamped, Start
from rtdecode.streams.gaps import GapWatch

CENTRE = np.zeros(2, np.float32)


def behaviour(seq: int) -> Received:
    body = Behaviour(
        t_sample_ns=seq, running_cm_s=0.0, pupil_diameter_px=1.0, pupil_center_px=CENTRE
    )
    return Received(Stamped("bridge", seq, seq, "host", body), seq)


def start(t_ns: int) -> Received:
    body = Start("s", config_yaml="", git_revision="", twin_hash="")
    return Received(Stamped("bridge", 0, t_ns, "host", body), t_ns)


def passed_through(watch: GapWatch, items: Sequence[Received]) -> tuple[list[int], list[Gap]]:
    out = list(watch.step(items))
    seqs = [item.message.seq for item in out if isinstance(item, Received)]
    return seqs, [item for item in out if isinstance(item, Gap)]


@given(kept=st.lists(st.booleans(), min_size=1, max_size=60).filter(any))
def test_seen_and_missing_add_up_to_the_numbers_spanned(kept: list[bool]) -> None:
    numbers = [n for n, is_kept in enumerate(kept) if is_kept]
    seqs, gaps = passed_through(GapWatch(detected_by="t"), [behaviour(n) for n in numbers])
    assert len(seqs) + sum(gap.n_missing for gap in gaps) == numbers[-1] - numbers[0] + 1


@given(numbers=st.lists(st.integers(0, 40), max_size=60), cut=st.integers(0, 60))
def test_any_batching_gives_the_same(numbers: list[int], cut: int) -> None:
    items = [behaviour(n) for n in numbers]
    whole, halves = GapWatch(detected_by="t"), GapWatch(detected_by="t")
    seqs, _ = passed_through(whole, items)
    first, _ = passed_through(halves, items[:cut])
    second, _ = passed_through(halves, items[cut:])
    assert seqs == first + second
    assert whole.n_missing == halves.n_missing


def test_a_gap_names_its_first_number_and_its_length() -> None:
    seqs, gaps = passed_through(GapWatch(detected_by="decoder"), [behaviour(4), behaviour(7)])
    assert seqs == [4, 7]
    assert [(g.stream, g.first_missing, g.n_missing) for g in gaps] == [("bridge/behaviour", 5, 2)]


def test_a_late_joiner_has_lost_nothing_but_the_recorder_has() -> None:
    _, late = passed_through(GapWatch(detected_by="view"), [behaviour(9)])
    _, recorded = passed_through(GapWatch(detected_by="recorder", first_expected=0), [behaviour(9)])
    assert not late
    assert [gap.n_missing for gap in recorded] == [9]


def test_a_start_published_for_another_subscriber_is_dropped() -> None:
    watch = GapWatch(detected_by="t")
    out = list(watch.step([start(5), behaviour(0), start(5), behaviour(1)]))
    kinds = [item.message.body.kind for item in out if isinstance(item, Received)]
    assert kinds == ["start", "behaviour", "behaviour"]


def test_a_source_that_was_started_again_counts_anew() -> None:
    items = [start(5), behaviour(0), behaviour(1), start(6), behaviour(0)]
    seqs, gaps = passed_through(GapWatch(detected_by="t"), items)
    assert seqs == [0, 0, 1, 0, 0]
    assert not gaps


def test_the_start_before_the_last_one_does_not_count_anew() -> None:
    """The recorder publishes both again for a subscriber that joins."""
    items = [start(6), behaviour(3), start(5), start(6), behaviour(4)]
    watch = GapWatch(detected_by="t", first_expected=0)
    seqs, gaps = passed_through(watch, items)
    assert seqs == [0, 3, 4]
    assert [gap.n_missing for gap in gaps] == [3]


@pytest.mark.parametrize("state", ["starting"])
def test_an_announcement_is_not_part_of_the_stream(state: str) -> None:
    announcement = Stamped("bridge", 0, 0, "host", Health(state, "", {}))
    assert not list(GapWatch(detected_by="t").step([Received(announcement, 0)]))


def test_messages_of_an_earlier_start_that_come_late_are_passed_and_change_no_number() -> None:
    """As the page gets them, where START comes from the recorder as well."""
    before = [start(1), *(behaviour(seq) for seq in range(2, 6))]
    late, new = [behaviour(6), behaviour(7)], [start(8), *(anew(seq) for seq in range(3))]
    mixed = [new[0], late[0], new[1], late[1], new[2], new[3]]
    seqs, gaps = passed_through(GapWatch(detected_by="t"), before + mixed)
    assert seqs == [0, 2, 3, 4, 5, 0, 6, 0, 7, 1, 2]
    assert gaps == []


def anew(seq: int) -> Received:
    """Message `seq` after the start at 8 ns."""
    message = behaviour(seq).message
    return Received(replace(message, t_ns=9 + seq), 9 + seq)
