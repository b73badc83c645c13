"""Embedded clips are seeded, moving, varied; the splits share no photograph."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stimulus.clips import Clip, Split, embedded_clips, folder_clips
from stimulus.pictures import photographs

SECONDS = 2.0


@pytest.fixture(scope="module")
def clips() -> dict[Split, list[Clip]]:
    return {
        split: list(embedded_clips(split, count=13, seconds=SECONDS, seed=5, frame_rate_hz=30.0))
        for split in Split
    }


@pytest.fixture(params=list(Split))
def some(request: pytest.FixtureRequest, clips: dict[Split, list[Clip]]) -> list[Clip]:
    found: list[Clip] = clips[request.param]
    return found


def test_a_clip_is_a_grey_video_of_the_screens_size(some: list[Clip]) -> None:
    for clip in some:
        assert clip.frames.shape == (60, 36, 64)
        assert clip.frames.dtype == np.uint8
        assert clip.licence


def test_no_clip_stands_still(some: list[Clip]) -> None:
    for clip in some:
        changes = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean((1, 2))
        assert changes.mean() > 0.5, clip.name
        assert np.mean(changes > 0) > 0.95, clip.name


def test_clips_have_contrast_and_a_middling_mean(some: list[Clip]) -> None:
    for clip in some:
        assert 80 < clip.frames.mean() < 160, clip.name
        assert clip.frames.std() > 25, clip.name
        assert np.mean((clip.frames == 0) | (clip.frames == 255)) < 0.2, clip.name


def test_clips_differ_from_each_other(some: list[Clip]) -> None:
    firsts = np.stack([clip.frames[30].ravel() for clip in some]).astype(float)
    alike = np.corrcoef(firsts) - np.eye(len(firsts))
    assert len({clip.name for clip in some}) == len(some)
    assert alike.max() < 0.9


def test_the_splits_share_no_picture(clips: dict[Split, list[Clip]]) -> None:
    named = {
        split: {part for clip in found for part in clip.name.split("-", 3)[3].split("+")}
        for split, found in clips.items()
    }
    assert named[Split.TRAIN].isdisjoint(named[Split.SHOW])
    for split in Split:
        assert {photo.name for photo in photographs(split)} <= named[split]


def test_the_seed_decides_and_so_does_nothing_else() -> None:
    def first(seed: int, count: int) -> Clip:
        return next(
            embedded_clips(Split.SHOW, count=count, seconds=0.5, seed=seed, frame_rate_hz=30.0)
        )

    np.testing.assert_array_equal(first(3, 1).frames, first(3, 9).frames)
    assert (first(3, 1).frames != first(4, 1).frames).mean() > 0.5
    assert (first(3, 1).frames != first(-3, 1).frames).mean() > 0.5


def test_clips_are_made_only_when_asked_for() -> None:
    many = embedded_clips(Split.SHOW, count=10**9, seconds=0.1, seed=0, frame_rate_hz=30.0)
    assert len(list(islice(many, 2))) == 2


def test_the_clips_of_a_video_are_its_frames_without_a_gap(video: Path) -> None:
    clips = list(folder_clips(video.parent, seconds=0.5, frame_rate_hz=30.0))
    assert [len(clip.frames) for clip in clips] == [15, 15, 10]
    assert [clip.name for clip in clips] == [f"film.mp4-{number:03d}" for number in range(3)]
    video_frames = next(folder_clips(video, seconds=99, frame_rate_hz=30.0)).frames
    np.testing.assert_array_equal(np.concatenate([clip.frames for clip in clips]), video_frames)
