"""Any run is cut so that nothing is in two trials, and no clip in two tiers."""

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.datasets.segments import (
    PART_FRAMES,
    SHORTEST_FRAMES,
    ClipSegment,
    groups_of,
    segments_of,
    tiers_of,
)
from rtdecode.evaluate.leakage import TrainedClips, clip_hash
from rtdecode.schema.messages import DisplayedFrame

Blobs = Callable[..., np.ndarray]
Showing = tuple[str, int, int]
"""Clip, and its first and last frame, in frames of the clip."""

PICTURE = np.zeros((2, 3), np.uint8)
presentations = st.tuples(st.sampled_from("abcd"), st.integers(0, 250), st.integers(250, 1000))


def shown_in(run: Sequence[Showing], *, first: int = 50) -> dict[int, DisplayedFrame]:
    told = [
        DisplayedFrame(clip, k, PICTURE, 0, 1)
        for clip, start, stop in run
        for k in range(start, stop)
    ]
    return dict(enumerate(told, start=first))


def always(frame: int) -> bool:
    return frame >= 0


def segments(run: Sequence[Showing]) -> list[tuple[str, int]]:
    return [
        (segment.name, len(segment.frames))
        for segment in segments_of(shown_in(run), measured=always)
    ]


@given(run=st.lists(presentations, min_size=1, max_size=5), holes=st.sets(st.integers(50, 3000)))
def test_a_segment_displays_one_part_of_one_clip_without_a_gap(
    run: list[Showing], holes: set[int]
) -> None:
    shown = {frame: now for frame, now in shown_in(run).items() if frame not in holes}
    found = segments_of(shown, measured=always)
    taken = [frame for segment in found for frame in segment.frames]
    assert len(taken) == len(set(taken))
    for segment in found:
        assert {shown[frame].clip for frame in segment.frames} == {segment.clip}
        indices = [shown[frame].index for frame in segment.frames]
        assert indices == list(range(indices[0], indices[0] + len(indices)))
        assert SHORTEST_FRAMES <= len(indices) < 1.5 * PART_FRAMES
    assert found == sorted(found, key=lambda segment: segment.frames.start)


@given(run=st.lists(presentations, min_size=1, max_size=5))
def test_a_frame_of_a_clip_is_in_the_same_part_whenever_it_is_shown(run: list[Showing]) -> None:
    shown = shown_in(run)
    part: dict[tuple[str, int], str] = {}
    for segment in segments_of(shown, measured=always):
        for frame in segment.frames:
            key = (segment.clip, shown[frame].index)
            assert part.setdefault(key, segment.name) == segment.name


def test_a_clip_is_a_trial_and_a_long_one_several_of_equal_length() -> None:
    assert segments([("a", 0, 300), ("b", 0, 900), ("a", 0, 300)]) == [
        ("a/0", 300),
        ("b/0", 300),
        ("b/1", 300),
        ("b/2", 300),
        ("a/0", 300),
    ]


def test_what_is_left_after_a_pause_is_the_same_clip_and_short_rests_are_left_out() -> None:
    run = [("a", 0, 120), ("grey", 120, 400), ("a", 120, 300), ("b", 0, 89)]
    assert [name for name, _ in segments(run) if name.startswith("a")] == ["a/0", "a/0"]
    assert not any(name.startswith("b") for name, _ in segments(run))


def test_unmeasured_ends_are_removed_and_gaps_inside_stay() -> None:
    unmeasured = {*range(50, 60), *range(120, 130), *range(345, 350)}
    [segment] = segments_of(shown_in([("a", 0, 300)]), measured=lambda k: k not in unmeasured)
    assert segment.frames == range(60, 345)
    assert segments_of(shown_in([("a", 0, 300)]), measured=lambda k: k < 50) == []


def test_equal_images_are_in_one_group_whatever_their_name(blobs: Blobs) -> None:
    clips = [blobs(0), blobs(1), blobs(0)[::-1], blobs(2), np.full((100, 12, 16), 128, np.uint8)]
    given_ = [ClipSegment(name, 0, range(k, k + 1)) for k, name in enumerate("abcag")]
    assert groups_of(given_, lambda segment: clips[segment.frames.start]) == [[0, 2, 3], [1]]


@given(seeds=st.lists(st.integers(0, 8), min_size=3, max_size=12))
def test_no_held_out_segment_counts_as_leaked(blobs: Blobs, seeds: list[int]) -> None:
    given_ = [ClipSegment(f"name{k}", 0, range(k, k + 1)) for k in range(len(seeds))]
    groups = groups_of(given_, lambda segment: blobs(seeds[segment.frames.start], 30))
    tiers = tiers_of([given_[group[0]].name for group in groups])
    tier = {place: t for group, t in zip(groups, tiers, strict=True) for place in group}
    trained = TrainedClips([clip_hash(blobs(seeds[k], 30)) for k in tier if tier[k] == "train"])
    held_out = [k for k in tier if tier[k] != "train"]
    assert [k for k in held_out if trained.leak(blobs(seeds[k], 30))] == []
    assert len({(seeds[k], tier[k]) for k in tier}) == len({seeds[k] for k in tier})


@given(names=st.lists(st.text(), min_size=3, max_size=80, unique=True), rng=st.randoms())
def test_tiers_follow_from_the_names_alone(names: list[str], rng: Random) -> None:
    tiers = dict(zip(names, tiers_of(names), strict=True))
    other = list(names)
    rng.shuffle(other)
    assert dict(zip(other, tiers_of(other), strict=True)) == tiers
    assert set(tiers.values()) == {"train", "oracle", "test"}


@pytest.mark.parametrize(("clips", "held_out"), [(3, 1), (12, 1), (20, 2), (100, 10)])
def test_about_eight_of_ten_clips_are_trained_on(clips: int, held_out: int) -> None:
    tiers = tiers_of([f"clip{k}" for k in range(clips)])
    assert [tiers.count(tier) for tier in ("train", "oracle", "test")] == [
        clips - 2 * held_out,
        held_out,
        held_out,
    ]
