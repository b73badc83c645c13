"""Videos are read at the screen's rate, upright and in full range; bad ones are named."""

import itertools
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.schema.errors import ClipError
from stimulus.videos import nearest_in_time, video_files, video_frames

SCREEN = (36, 64)
Film = Callable[..., Path]


def test_between_frames_comes_back_at_its_place_and_in_full_range(
    video: Path, blocks: NDArray[np.uint8]
) -> None:
    read = np.stack(list(video_frames(video, screen=SCREEN, rate_hz=30.0)))
    assert read.shape == (40, *SCREEN)
    assert np.abs(read.astype(int) - blocks).mean() < 3
    alike = np.corrcoef(read.reshape(40, -1), blocks.reshape(40, -1))[:40, 40:]
    np.testing.assert_array_equal(alike.argmax(1), np.arange(40))


@pytest.mark.parametrize(("rate", "shown"), [(60, [0, 2, 4, 6]), (15, [0, 0, 1, 1, 2, 2])])
def test_another_rate_keeps_the_speed(
    film: Film, tmp_path: Path, rate: int, shown: list[int]
) -> None:
    greys = np.arange(8 if rate == 60 else 3, dtype=np.uint8) * 30
    frames = np.broadcast_to(greys[:, None, None], (len(greys), 72, 128))
    read = video_frames(film(tmp_path / "a.mp4", frames, rate), screen=SCREEN, rate_hz=30.0)
    np.testing.assert_allclose([frame.mean() for frame in read], [30 * n for n in shown], atol=2)


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuv422p"),
        ("libx264", "yuv444p"),
        ("mjpeg", "yuvj420p"),
        ("ffv1", "gray"),
        ("ffv1", "bgr0"),
        ("ffv1", "yuv420p10le"),
    ],
)
def test_black_is_0_and_white_255_in_every_format(
    film: Film, tmp_path: Path, codec: str, pixels: str
) -> None:
    greys = np.array([0, 64, 128, 255], np.uint8)
    frames = np.broadcast_to(greys[:, None, None], (4, 72, 100))  # 100: lines are padded
    path = film(tmp_path / "a.mkv", frames, 30, codec=codec, pixels=pixels)
    read = video_frames(path, screen=SCREEN, rate_hz=30.0)
    np.testing.assert_allclose([frame.mean() for frame in read], greys, atol=2.1)


@given(
    gaps=st.lists(st.floats(0.001, 0.2), min_size=1, max_size=30),
    origin=st.floats(-5, 5),
    rate=st.sampled_from([10.0, 30.0]),
)
def test_the_nearest_item_is_taken_for_each_moment(
    gaps: list[float], origin: float, rate: float
) -> None:
    times = np.array(list(itertools.accumulate(gaps, initial=0.0)))
    timed = [(origin + time, number) for number, time in enumerate(times)]
    taken = list(nearest_in_time(timed, rate_hz=rate, last_s=0.1))
    moments = np.arange(len(taken)) / rate
    best = np.abs(times - moments[:, None]).min(1)
    np.testing.assert_allclose(np.abs(times[taken] - moments), best, atol=1e-9)
    assert len(taken) / rate == pytest.approx(times[-1] + 0.1, abs=1 / rate + 1e-5)


def test_a_picture_that_lies_on_its_side_is_turned_upright(film: Film, tmp_path: Path) -> None:
    upright = np.zeros((64, 36), np.uint8)
    upright[:32], upright[:32, :18] = 200, 100  # dark below, half-dark in the upper left
    lying = np.broadcast_to(np.rot90(upright), (2, 36, 64))
    path = film(tmp_path / "telephone.mp4", lying, 30, rotation=-90)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation == -90  # clockwise, as ffmpeg counts
    read = next(video_frames(path, screen=(64, 114), rate_hz=30.0))
    cut = upright[22:42]  # the middle 36 x 20 of it
    expected = [cut[:10, :18].mean(), cut[:10, 18:].mean(), cut[10:].mean()]
    got = [read[:30, :54].mean(), read[:30, 60:].mean(), read[34:].mean()]
    np.testing.assert_allclose(got, expected, atol=6)


def test_names_are_in_order_and_other_files_left_alone(video: Path) -> None:
    folder = video.parent
    for name in ("a.mkv", "z.MOV"):
        (folder / name).write_bytes(video.read_bytes())
    for name in ("notes.txt", ".hidden.mp4"):
        (folder / name).write_text("nothing to see")
    assert [file.name for file in video_files(folder)] == ["a.mkv", "film.mp4", "z.MOV"]
    assert video_files(video) == (video,)


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="nowhere cannot be shown: it does not exist"):
        video_files(tmp_path / "nowhere")
    with pytest.raises(ClipError, match="holds no video"):
        video_files(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 50])
def test_a_broken_file_is_named(tmp_path: Path, video: Path, content: bytes) -> None:
    broken = video.with_name("broken.mp4")
    broken.write_bytes(content)
    with pytest.raises(ClipError, match=r"broken\.mp4 cannot be shown"):
        video_files(video.parent)


def test_a_file_that_breaks_off_at_once_is_named(tmp_path: Path, video: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:300])
    with pytest.raises(ClipError, match=r"cut\.mp4"):
        list(video_frames(cut, screen=SCREEN, rate_hz=30.0))


def test_a_title_that_is_no_utf8_does_not_prevent_reading(tmp_path: Path, video: Path) -> None:
    titled = tmp_path / "titled.mp4"
    with av.open(str(video)) as given, av.open(str(titled), "w") as made:
        made.metadata["title"] = "MQQuse"
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    content = titled.read_bytes()
    assert b"MQQuse" in content
    titled.write_bytes(content.replace(b"MQQuse", "Määuse".encode("latin-1")))
    frames = [list(video_frames(file, screen=SCREEN, rate_hz=30.0)) for file in (video, titled)]
    np.testing.assert_array_equal(*frames)


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(ClipError, match="no frame of video"):
        list(video_frames(path, screen=SCREEN, rate_hz=30.0))
