"""A photodiode outside stimulus and log sees each frame of the log, at its time, with its patch."""

from pathlib import Path

import numpy as np
import pytest
from virtual_photodiode import coded_white, watched_run

from rtdecode.schema.config.monitor import PatchCode
from rtdecode.schema.patch_code import is_white

COMMANDS = {60: "pause", 90: "show", 110: "pause", 113: "show"}
"""Sent after so many displayed frames."""


@pytest.mark.system
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_each_picture_on_the_screen_is_the_frame_that_the_log_has_at_its_time(
    tmp_path: Path, warp: str
) -> None:
    comparison = watched_run(tmp_path, warp=warp, frames=150, commands=COMMANDS)
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    # a reader on a busy machine may miss some
    assert comparison.seen > comparison.frames / 2


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("warp", ["none", "spherical"])
def test_over_a_minute_each_frame_of_the_log_is_seen_at_its_time(tmp_path: Path, warp: str) -> None:
    comparison = watched_run(tmp_path, warp=warp, frames=1800, commands=COMMANDS)
    assert (comparison.unknown, comparison.other_time) == (0, 0)
    assert comparison.seen > 0.99 * comparison.frames


def test_the_sequence_of_the_patch_is_that_of_its_shift_register() -> None:
    stated = [is_white(number, PatchCode.CODED) for number in range(5000)]
    np.testing.assert_array_equal(coded_white(5000), stated)
