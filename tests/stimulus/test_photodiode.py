"""A photodiode outside stimulus and log sees each frame of the log, at its time, with its patch."""

from pathlib import Path

import numpy as np
import pytest
from virtual_photodiode import coded_white, watched_run

from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.patch_code import is_white

COMMANDS = {20: "show_frames", 50: "pause", 80: "resume", 95: "show_clip", 110: "show_frames"}
"""Sent after so many displayed frames."""


@pytest.mark.system
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_each_picture_on_the_screen_is_the_frame_that_the_log_has_at_its_time(
    tmp_path: Path, warp: str
) -> None:
    run = watched_run(tmp_path, warp=warp, frames=150, commands=COMMANDS)
    comparison = run.comparison
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    assert len(run.results) == len(COMMANDS)
    assert run.wrong_results() == []
    # how many the reader sees depends on the machine
    assert comparison.seen > 0


@pytest.mark.long
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_over_a_minute_each_frame_of_the_log_is_seen_at_its_time(tmp_path: Path, warp: str) -> None:
    comparison = watched_run(tmp_path, warp=warp, frames=1800, commands=COMMANDS).comparison
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    assert comparison.seen > 0.99 * comparison.frames


def test_the_sequence_of_the_patch_is_that_of_its_shift_register() -> None:
    stated = [is_white(number, PatchCode.CODED) for number in range(5000)]
    np.testing.assert_array_equal(coded_white(5000), stated)
