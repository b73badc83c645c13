"""ScanImage's metadata: channels, planes, rate and time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.intake import VolumeLayout
from acquisition_bridge.sources.scanimage_header import (
    ScanImageHeader,
    page_stamp,
    scanimage_header,
)
from rtdecode.schema.errors import StreamError

MODERN = """SI.VERSION_MAJOR = 2021
SI.hChannels.channelSave = [1;3]
SI.hFastZ.enable = true
SI.hFastZ.numDiscardFlybackFrames = 7
SI.hRoiManager.scanFrameRate = 523.926
SI.hScan2D.logAverageFactor = 1
SI.hStackManager.actualNumSlices = 9
SI.hStackManager.enable = true
SI.hStackManager.framesPerSlice = 1
"""


def test_a_fast_volume_has_planes_and_flyback() -> None:
    expected = ScanImageHeader((1, 3), VolumeLayout(9, 1, 7), 523.926)
    assert scanimage_header(MODERN, "") == expected


def test_without_a_stack_there_is_one_plane() -> None:
    single = MODERN.replace("hStackManager.enable = true", "hStackManager.enable = false")
    assert scanimage_header(single, "").volume == VolumeLayout(1, 1, 0)


def test_a_slow_stack_has_no_flyback() -> None:
    slow = MODERN.replace("hFastZ.enable = true", "hFastZ.enable = false")
    assert scanimage_header(slow, "").volume == VolumeLayout(9, 1, 0)


def test_version_3_says_it_in_the_description() -> None:
    text = "state.acq.savingChannel1=0\rstate.acq.savingChannel2=1\rstate.acq.frameRate=3.9\r"
    assert scanimage_header("", text) == ScanImageHeader((2,), VolumeLayout(), 3.9)


def test_another_program_is_one_channel_and_one_plane() -> None:
    assert scanimage_header("tifffile.py", "x") == ScanImageHeader((1,), VolumeLayout(), None)


def test_a_stamp_is_frame_and_time() -> None:
    text = "frameNumbers = 161\nframeTimestamps_sec = 0.305359205\n"
    assert page_stamp(text) == (160, 305_359_205)
    assert page_stamp("no stamp") is None


@pytest.mark.parametrize(("name", "value"), [("actualNumSlices", "many"), ("framesPerSlice", "-1")])
def test_what_is_no_number_is_named(name: str, value: str) -> None:
    broken = "\n".join(
        f"SI.hStackManager.{name} = {value}" if f".{name} " in line else line
        for line in MODERN.splitlines()
    )
    with pytest.raises(StreamError, match=value):
        scanimage_header(broken, "")


@given(place=st.integers(0, len(MODERN) - 1), letter=st.characters(codec="latin-1"))
def test_a_changed_letter_is_read_or_refused_by_name(place: int, letter: str) -> None:
    changed = MODERN[:place] + letter + MODERN[place + 1 :]
    try:
        header = scanimage_header(changed, changed)
    except StreamError:
        return
    assert header.channels
    assert header.volume.frames_per_volume >= 1
