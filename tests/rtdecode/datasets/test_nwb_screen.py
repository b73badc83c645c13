"""Stimuli of NWB files, as pynwb writes them."""

from typing import Any

import h5py
import numpy as np
import pytest
from pynwb.base import ImageReferences, Images
from pynwb.image import GrayscaleImage, ImageSeries, IndexSeries

from rtdecode.datasets.nwb_screen import Screen
from rtdecode.datasets.nwb_series import read_nwb
from rtdecode.schema.errors import UnreadableFileError


def screen_of(recording: Any) -> Screen:
    recording.activity(recording.ramp())
    path = recording.written()
    return Screen(read_nwb(path).stimuli, path)


def test_images_become_grey_and_36_by_64(recording: Any) -> None:
    colour = np.zeros((20, 72, 128, 3), np.float32)
    colour[..., :64, 0], colour[..., 64:, 1] = 1.0, 0.5
    recording.screen(colour, rate=1.0, starting_time=0.0)
    (frame,) = screen_of(recording).video(np.array([7.5]))
    assert frame.shape == (36, 64)
    assert np.unique(frame[:, :32]) == round(255 * 0.299)
    assert np.unique(frame[:, 32:]) == round(255 * 0.587 / 2)


def test_an_area_is_averaged(recording: Any) -> None:
    fine = np.zeros((20, 72, 128), np.uint8)
    fine[:, ::2, ::2] = 200
    recording.screen(fine)
    assert (screen_of(recording).video(np.array([0.1, 0.3])) == 50).all()


@pytest.mark.parametrize("kept", ["images", "series"])
def test_images_that_are_stored_once_are_displayed_by_number(recording: Any, kept: str) -> None:
    """In an `Images`, as files are written now, or in an `ImageSeries`, as they were."""
    pictures = [np.full((36, 64), level, np.uint8) for level in (10, 20, 30)]
    images = [GrayscaleImage(name=f"scene{k}", data=one) for k, one in enumerate(pictures)]
    order = ImageReferences(name="order_of_images", data=images)
    scenes = Images(name="scenes", images=images, order_of_images=order)
    recording.file.add_stimulus_template(scenes)
    old = ImageSeries(name="old", data=np.stack(pictures), unit="n.a.", rate=1.0)
    recording.file.add_stimulus_template(old)
    numbers, times_s = np.array([2, 0, 1, 1, 0], np.uint32), np.arange(5.0)
    recording.file.add_stimulus(
        IndexSeries(
            name="shown", data=numbers, unit="N/A", timestamps=times_s, indexed_images=scenes
        )
    )
    recording.activity(recording.ramp())
    path = recording.written()
    if kept == "series":
        with h5py.File(path, "a") as file:
            shown = file["stimulus/presentation/shown"]
            del shown["indexed_images"]
            shown["indexed_timeseries"] = h5py.SoftLink("/stimulus/templates/old")
    video = Screen(read_nwb(path).stimuli, path).video(np.array([0.0, 0.99, 1.0, 2.5, 3.5, 4.9]))
    assert video[:, 0, 0].tolist() == [30, 30, 10, 20, 20, 10]


def shown_by_number(recording: Any, levels: list[int], numbers: list[int]) -> None:
    """Images of growing size, for a second each."""
    images = [
        GrayscaleImage(
            name=f"scene{k}", data=np.full((36 * (k + 1), 64 * (k + 1)), level, np.uint8)
        )
        for k, level in enumerate(levels)
    ]
    order = ImageReferences(name="order_of_images", data=images)
    scenes = Images(name="scenes", images=images, order_of_images=order)
    recording.file.add_stimulus_template(scenes)
    series = IndexSeries(name="shown", data=np.array(numbers, np.uint32), unit="N/A",
                         rate=1.0, indexed_images=scenes)  # fmt: skip
    recording.file.add_stimulus(series)


def test_images_may_differ_in_size(recording: Any) -> None:
    shown_by_number(recording, [10, 20], [1, 0])
    assert screen_of(recording).video(np.array([0.5, 1.5]))[:, 0, 0].tolist() == [20, 10]


def test_a_number_without_an_image_is_refused(recording: Any) -> None:
    shown_by_number(recording, [10, 20], [1, 0, 7])
    expected = r"image numbers below 2 in 'shown', got number 7 at sample 2"
    with pytest.raises(UnreadableFileError, match=expected):
        screen_of(recording)


@pytest.mark.parametrize("told", [np.uint8(100), np.float32(100), np.float32(100 / 255)])
def test_grey_levels_follow_from_type_and_range(recording: Any, told: Any) -> None:
    recording.screen(np.full((20, 36, 64), told))
    assert (screen_of(recording).video(np.array([0.1])) == 100).all()


def test_many_images_are_read_in_parts(recording: Any) -> None:
    recording.screen(recording.dark()[:200] + np.arange(200, dtype=np.uint8)[:, None, None])
    video = screen_of(recording).video((np.arange(200) + 0.5) / 30)
    assert video[:, 0, 0].tolist() == list(range(200))


def test_an_array_that_is_no_image_is_refused(recording: Any) -> None:
    recording.screen(np.zeros((20, 36, 64, 2), np.uint8))
    with pytest.raises(UnreadableFileError, match=r"a frame of 'movie' of .*got \(36, 64, 2\)"):
        screen_of(recording)


def test_a_stimulus_that_pauses_leaves_the_screen_to_others(recording: Any) -> None:
    """The other's name comes first, so that order alone would show the wrong one."""
    second = np.arange(30) / 30
    twice_s = np.concatenate([second, 9 + second])
    recording.screen(recording.dark()[:60] + 200, name="b", timestamps=twice_s)
    recording.screen(recording.dark()[:30] + 50, name="a", rate=30.0, starting_time=4.0)
    screen, at_s = screen_of(recording), np.array([0.5, 2.0, 4.5, 7.0, 9.5])
    assert screen.video(at_s)[:, 0, 0].tolist() == [200, 0, 50, 0, 200]
    assert screen.is_on(at_s).tolist() == [True, False, True, False, True]
    np.testing.assert_allclose(screen.stimuli[1].runs, [(0, 1), (9, 10)])


def test_images_outside_the_file_are_refused(recording: Any) -> None:
    series = ImageSeries(name="movie", external_file=["movie.mp4"], format="external",
                         starting_frame=[0], timestamps=[0.0, 1.0], unit="n.a.")  # fmt: skip
    recording.file.add_stimulus(series)
    with pytest.raises(
        UnreadableFileError, match=r"'movie' inside the file, got a link to movie\.mp4"
    ):
        screen_of(recording)


def test_nothing_is_shown_before_between_and_after(recording: Any) -> None:
    for name, start_s in (("first", 1.0), ("second", 5.0)):
        recording.screen(recording.dark()[:60] + 9, name=name, rate=30.0, starting_time=start_s)
    screen, at_s = screen_of(recording), np.array([0.99, 1.0, 2.99, 3.01, 5.0, 7.01])
    assert screen.is_on(at_s).tolist() == [False, True, True, False, True, False]
    assert screen.video(at_s)[:, 0, 0].tolist() == [0, 9, 9, 0, 9, 0]
