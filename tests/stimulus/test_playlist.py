"""A config gives one movie: the embedded clips, or the user's videos in full."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import ClipError
from stimulus.playlist import movie_frames

SMALL = StimulusConfig(embedded_clips=3, clip_s=0.2, seed=4)


def test_embedded_clips_come_whole_and_all_of_them() -> None:
    frames = list(islice(movie_frames(SMALL, frame_rate_hz=30.0), 36))
    assert [frame.index for frame in frames] == list(range(6)) * 6
    assert len({frame.clip for frame in frames[:18]}) == 3
    assert {frame.clip.split("-")[0] for frame in frames} == {"show"}


def test_the_same_config_gives_the_same_movie() -> None:
    one, other = (list(islice(movie_frames(SMALL, frame_rate_hz=30.0), 40)) for _ in range(2))
    assert [frame.clip for frame in one] == [frame.clip for frame in other]
    np.testing.assert_array_equal(
        [frame.luminance for frame in one], [frame.luminance for frame in other]
    )


def test_the_users_videos_are_shown_whole_and_again(video: Path, blocks: NDArray[np.uint8]) -> None:
    config = StimulusConfig(clips=video.parent, clip_s=0.1)
    frames = list(islice(movie_frames(config, frame_rate_hz=30.0), 80))
    assert [(frame.clip, frame.index) for frame in frames] == [
        ("film.mp4", number % 40) for number in range(80)
    ]
    assert np.abs(frames[9].luminance.astype(int) - blocks[9]).mean() < 3


def test_the_users_videos_fit_any_grid_of_pixels(video: Path) -> None:
    config = StimulusConfig(clips=video, rows_px=18, cols_px=32)
    assert next(movie_frames(config, frame_rate_hz=30.0)).luminance.shape == (18, 32)


def test_embedded_clips_have_one_size() -> None:
    with pytest.raises(ValidationError, match=r"36 x 64.*stimulus\.clips"):
        StimulusConfig(rows_px=18, cols_px=32)


def test_a_broken_video_is_refused_by_name_before_anything_is_shown(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(ClipError, match=r"broken\.mp4"):
        movie_frames(StimulusConfig(clips=tmp_path), frame_rate_hz=30.0)
