"""Clips come in seeded rounds, frames in sequence, and each stays for its number of refreshes."""

from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.errors import RefreshRateError
from stimulus.playlist import holds, movie, shuffled_rounds


@given(count=st.integers(2, 12), seed=st.integers(-100, 100), rounds=st.integers(1, 5))
def test_every_round_holds_every_clip_and_none_follows_itself(
    count: int, seed: int, rounds: int
) -> None:
    sequence = list(islice(shuffled_rounds(range(count), seed=seed), count * rounds))
    for number in range(rounds):
        assert sorted(sequence[number * count :][:count]) == list(range(count))
    assert all(before != after for before, after in pairwise(sequence))


def test_the_seed_decides_the_order() -> None:
    sequences = [list(islice(shuffled_rounds(range(8), seed=seed), 24)) for seed in (1, 1, 2, -1)]
    assert sequences[0] == sequences[1] not in sequences[2:]
    assert len({tuple(sequence[:8]) for sequence in (sequences[0][i * 8 :] for i in range(3))}) > 1


def test_a_lone_clip_is_repeated_and_no_clip_is_no_movie() -> None:
    assert list(islice(shuffled_rounds(["only"], seed=0), 3)) == ["only"] * 3
    assert list(shuffled_rounds([], seed=0)) == []


def test_a_movie_is_its_clips_one_after_the_other() -> None:
    clips = {"a": np.zeros((2, 3, 4), np.uint8), "b": np.ones((3, 3, 4), np.uint8)}
    frames = list(movie("ab", lambda name: (name, clips[name])))
    displayed = [(frame.clip, frame.index, int(frame.luminance.max())) for frame in frames]
    assert displayed == [("a", 0, 0), ("a", 1, 0), ("b", 0, 1), ("b", 1, 1), ("b", 2, 1)]


@given(refresh=st.floats(30, 480), rate=st.floats(1, 30), frames=st.integers(1, 500))
def test_a_movie_keeps_its_speed_on_any_monitor(refresh: float, rate: float, frames: int) -> None:
    stays = list(islice(holds(refresh, rate), frames))
    assert set(stays) <= {int(refresh / rate), int(refresh / rate) + 1, round(refresh / rate)}
    assert sum(stays) == pytest.approx(frames * refresh / rate, rel=0.0101, abs=1)


@pytest.mark.parametrize(
    ("refresh_hz", "pattern"),
    [(60, {2}), (59.94, {2}), (120, {4}), (30, {1}), (29.9, {1}), (75, {2, 3}), (144, {4, 5})],
)
def test_the_usual_monitors(refresh_hz: float, pattern: set[int]) -> None:
    assert set(islice(holds(refresh_hz, 30.0), 1200)) == pattern


def test_seventy_five_hertz_alternates() -> None:
    assert Counter(islice(holds(75.0, 30.0), 1000)) == {2: 500, 3: 500}


def test_a_monitor_slower_than_the_movie_is_refused() -> None:
    with pytest.raises(RefreshRateError, match=r"24 times a second.*at least 30 Hz"):
        holds(24.0, 30.0)
