"""ScanImage's files: planes, channels, files in a row, pace; and real ones read right."""

import json
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.continued import last_scan
from acquisition_bridge.sources.opening import open_source
from acquisition_bridge.sources.tiff_tail import TiffTailSource
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import TiffTailSource as TiffTailConfig
from rtdecode.schema.errors import SettingMissingError, StreamError
from rtdecode.schema.messages import Scan

SCANS = np.random.default_rng(0).integers(-50, 4000, (24, 6, 8)).astype(np.int16)
HEADER = """SI.VERSION_MAJOR = 2023
SI.hChannels.channelSave = [1 4]
SI.hFastZ.enable = true
SI.hFastZ.numDiscardFlybackFrames = 1
SI.hRoiManager.scanFrameRate = 20.0
SI.hStackManager.actualNumSlices = 2
SI.hStackManager.enable = true
SI.hStackManager.framesPerSlice = 1
"""


def written(path: Path, first: int, last: int) -> None:
    """Pages `first` to `last` of an acquisition of two channels, two planes, one flyback frame."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for page in range(first, last):
            frame = page // 2
            text = f"frameNumbers = {frame + 1}\nframeTimestamps_sec = {frame / 20:.9f}\n"
            writer.write(
                SCANS[page], description=text, software=HEADER, metadata=None, contiguous=False
            )


def written_pages(path: Path, pages: np.ndarray, texts: list[str], **options: Any) -> Path:
    """One TIFF page for each of `pages`, with its description."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for page, text in zip(pages, texts, strict=True):
            writer.write(page, description=text, metadata=None, contiguous=False, **options)
    return path


def streamed(clock: Any, path: Path, **options: Any) -> tuple[list[Scan], TiffTailSource]:
    source = TiffTailSource(TiffTailConfig(path=path, idle_s=0.3, **options), clock=clock)
    source.begin(clock.now_ns())
    scans: list[Scan] = []
    with closing(source):
        while not source.ended:
            for body in source.measured_until(clock.now_ns() + 50_000_000):
                assert isinstance(body, Scan)
                scans.append(body)
    return scans, source


@pytest.mark.parametrize(("channel", "place"), [(None, 0), (1, 0), (4, 1)])
def test_one_channel_with_planes_and_without_flyback(
    tmp_path: Path, clock: Any, channel: int | None, place: int
) -> None:
    written(tmp_path / "scan_00001.tif", 0, 24)
    scans, source = streamed(clock, tmp_path / "scan_00001.tif", channel=channel)
    kept = [frame for frame in range(12) if frame % 3 < 2]
    np.testing.assert_array_equal([s.pixels_counts for s in scans], SCANS[place::2][kept])
    assert [scan.plane for scan in scans] == [0, 1] * 4
    assert [scan.number for scan in scans] == list(range(8))
    assert (source.spec.planes, source.spec.channels, source.health()["lost"]) == (2, 2, 0)


def test_a_restarted_bridge_leaves_out_the_scans_that_were_passed_on(
    tmp_path: Path, clock: Any
) -> None:
    written(tmp_path / "scan_00001.tif", 0, 24)
    whole, _ = streamed(clock, tmp_path / "scan_00001.tif")
    source = {"kind": "tiff_tail", "path": tmp_path / "scan_00001.tif", "idle_s": 0.3}
    config = RunConfig.model_validate({"acquisition": {"source": source}, "decode": None})
    again = open_source(config, clock, last=last_scan(whole[4]))
    again.begin(clock.now_ns())
    scans: list[Scan] = []
    with closing(again):
        while not again.ended:
            found = again.measured_until(clock.now_ns() + 50_000_000)
            scans += [body for body in found if isinstance(body, Scan)]
    assert [scan.number for scan in scans] == [scan.number for scan in whole[5:]]
    assert [scan.plane for scan in scans] == [scan.plane for scan in whole[5:]]
    for one, other in zip(scans, whole[5:], strict=True):
        np.testing.assert_array_equal(one.pixels_counts, other.pixels_counts)
    assert again.health()["lost"] == 0


def test_files_in_a_row_are_one_acquisition(tmp_path: Path, clock: Any) -> None:
    for number, (first, last) in enumerate([(0, 10), (10, 12), (12, 24)], start=1):
        written(tmp_path / f"scan_{number:05d}.tif", first, last)
    scans, source = streamed(clock, tmp_path / "scan_00001.tif")
    assert [scan.number for scan in scans] == list(range(8))
    assert source.health()["files"] == 3


@pytest.mark.parametrize("speed", [1.0, 5.0])
def test_it_keeps_the_pace_of_the_stamps(tmp_path: Path, clock: Any, speed: float) -> None:
    written(tmp_path / "scan_00001.tif", 0, 24)
    scans, _ = streamed(clock, tmp_path / "scan_00001.tif", speed=speed)
    stamps_s = np.array([frame / 20 for frame in range(12) if frame % 3 < 2])
    ends_s = (np.array([scan.t_end_ns for scan in scans]) - scans[0].t_end_ns) / 1e9
    np.testing.assert_allclose(ends_s, stamps_s / speed, atol=1e-4)


def test_a_channel_that_was_not_saved_is_named_with_those_that_were(
    tmp_path: Path, clock: Any
) -> None:
    written(tmp_path / "scan_00001.tif", 0, 2)
    with pytest.raises(SettingMissingError, match=r"\[1, 4\].*channel 2 was not saved"):
        streamed(clock, tmp_path / "scan_00001.tif", channel=2)


def test_a_header_rate_that_the_stamps_contradict_is_reported(
    tmp_path: Path, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "scan_00001.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for frame in range(12):
            text = f"frameNumbers = {frame + 1}\nframeTimestamps_sec = {frame / 5:.9f}\n"
            header = HEADER.replace("[1 4]", "1")
            writer.write(SCANS[frame], description=text, software=header, metadata=None)
    with caplog.at_level(logging.WARNING):
        streamed(clock, path)
    assert "20.00 frames/s, the time stamps of its pages 5.00" in caplog.text


def test_acquisitions_after_another_go_on_in_number_and_time(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "scan_00001.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for page, frame in enumerate([0, 1, 2, 0, 1]):
            text = f"frameNumbers = {page + 1}\nframeTimestamps_sec = {frame / 20:.6f}\n"
            writer.write(SCANS[page], description=text, metadata=None, contiguous=False)
    scans, source = streamed(clock, path)
    assert [scan.number for scan in scans] == [0, 1, 2, 3, 4]
    ends_s = (np.array([scan.t_end_ns for scan in scans]) - scans[0].t_end_ns) / 1e9
    np.testing.assert_allclose(ends_s, [0, 0.05, 0.1, 0.1, 0.15], atol=1e-3)
    assert (source.health()["lost"], source.health()["restarts"]) == (0, 1)


def test_a_file_that_ends_within_a_page_is_reported(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "scan_00001.tif"
    written(path, 0, 24)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    scans, source = streamed(clock, path)
    assert 0 < len(scans) < 8
    assert source.health()["cut_off"] == 1


VERSION_5_1 = """frameNumbers = {frame}
frameTimestamps_sec = {seconds}
scanimage.SI.VERSION_MAJOR = '5.1'
scanimage.SI.hChannels.channelSave = [1;2]
scanimage.SI.hRoiManager.scanFrameRate = 20
scanimage.SI.hFastZ.enable = 1
scanimage.SI.hFastZ.numDiscardFlybackFrames = 2
scanimage.SI.hStackManager.numSlices = 4
scanimage.SI.hStackManager.framesPerSlice = 1
"""
VERSION_4 = """Frame Number = {frame}
Frame Timestamp(s) = {seconds}
scanimage.{name}.VERSION_MAJOR = 4.2
scanimage.{name}.channelsSave = [1;2]
scanimage.{name}.scanFrameRate = 20
scanimage.{name}.fastZEnable = 1
scanimage.{name}.fastZDiscardFlybackFrames = 1
scanimage.{name}.fastZNumDiscardFrames = 2
scanimage.{name}.stackNumSlices = 4
"""


@pytest.mark.parametrize(
    "header", [VERSION_5_1, VERSION_4.replace("{name}", "SI4"), VERSION_4.replace("{name}", "SI5")]
)
def test_headers_of_versions_4_to_5_1_give_channels_planes_and_times(
    tmp_path: Path, clock: Any, header: str
) -> None:
    texts = [header.format(frame=k // 2 + 1, seconds=k // 2 / 20) for k in range(24)]
    path = written_pages(tmp_path / "scan_00001.tif", SCANS, texts)
    scans, source = streamed(clock, path, channel=2)
    kept = [frame for frame in range(12) if frame % 6 < 4]
    np.testing.assert_array_equal([s.pixels_counts for s in scans], SCANS[1::2][kept])
    assert [scan.plane for scan in scans] == [0, 1, 2, 3] * 2
    assert (source.spec.scan_rate_hz, source.health()["lost"]) == (20, 0)
    assert (scans[1].t_end_ns - scans[0].t_end_ns) / 1e9 == pytest.approx(1 / 20, abs=1e-4)


def test_an_unknown_version_of_scan_image_is_refused(tmp_path: Path, clock: Any) -> None:
    path = written_pages(tmp_path / "a.tif", SCANS[:1], ["scanimage.SI9.VERSION_MAJOR = 9"])
    with pytest.raises(StreamError, match="unknown version of ScanImage"):
        streamed(clock, path)


def mroi_artist(*sizes: tuple[int, int], **options: Any) -> str:
    rois = [{"scanfields": {"pixelResolutionXY": size[::-1]}} | options for size in sizes]
    return json.dumps(
        {"RoiGroups": {"imagingRoiGroup": {"rois": rois if len(rois) > 1 else rois[0]}}}
    )


MROI = HEADER.replace("[1 4]", "1").replace("enable = true", "enable = false")
MROI += "SI.hRoiManager.mroiEnable = true\n"


def mroi_file(path: Path, pages: np.ndarray, artist: str) -> Path:
    texts = [f"frameNumbers = {k + 1}\nframeTimestamps_sec = {k / 20}\n" for k in range(len(pages))]
    tags = [(315, "s", 0, artist, True)]
    return written_pages(path, pages, texts, software=MROI, extratags=tags)


def test_fields_of_view_in_one_page_are_planes_without_the_rows_between_them(
    tmp_path: Path, clock: Any
) -> None:
    rng = np.random.default_rng(1)
    first, between, second = (rng.integers(0, 900, (5, n, 8)).astype(np.int16) for n in (6, 3, 6))
    pages = np.concatenate([first, between, second], axis=1)
    path = mroi_file(tmp_path / "meso_00001.tif", pages, mroi_artist((6, 8), (6, 8)))
    scans, source = streamed(clock, path)
    np.testing.assert_array_equal([s.pixels_counts for s in scans[::2]], first)
    np.testing.assert_array_equal([s.pixels_counts for s in scans[1::2]], second)
    assert [scan.plane for scan in scans] == [0, 1] * 5
    assert [scan.number for scan in scans] == list(range(10))
    assert (source.spec.planes, source.spec.scan_rate_hz) == (2, 40)
    ends_s = (np.array([scan.t_end_ns for scan in scans]) - scans[0].t_end_ns) / 1e9
    np.testing.assert_allclose(ends_s, np.arange(10) / 40, atol=1e-4)


def test_one_field_of_view_is_the_whole_page(tmp_path: Path, clock: Any) -> None:
    scans, _ = streamed(clock, mroi_file(tmp_path / "a.tif", SCANS[:3], mroi_artist((6, 8))))
    np.testing.assert_array_equal([s.pixels_counts for s in scans], SCANS[:3])


@pytest.mark.parametrize(
    ("artist", "says"),
    [
        ("{", "RoiGroups cannot be read"),
        ('{"RoiGroups": 3}', "RoiGroups cannot be read"),
        ("[" * 100_000, "RoiGroups cannot be read"),
        (mroi_artist((6, 8), (4, 8)), "different sizes"),
        (mroi_artist((4, 8), (4, 8)), "which a page of 6 has not"),
        (mroi_artist((2, 8), (2, 8), (1 << 40, 8)), "different sizes"),
    ],
)
def test_fields_of_view_that_cannot_be_split_are_refused(
    tmp_path: Path, clock: Any, artist: str, says: str
) -> None:
    with pytest.raises(StreamError, match=says):
        streamed(clock, mroi_file(tmp_path / "a.tif", SCANS[:2], artist))


REAL = {
    # scans, rows and columns, planes, channels
    "sample_scanimage_version_3_8.tiff": (10, (256, 256), 1, 1),
    "scanimage_20220923_noroi.tif": (12, (256, 256), 2, 2),
    "vol_no_flyback_00001_00001.tif": (90, (20, 20), 9, 1),
    "vol_one_ch_multi_files_00001_00001.tif": (270, (20, 20), 9, 1),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_right(shared_folder: Path, clock: Any, name: str) -> None:
    count, shape, planes, channels = REAL[name]
    path = shared_folder / "data" / "vendor" / "ScanImage" / name
    scans, source = streamed(clock, path, speed=100.0)
    assert len(scans) == count
    assert {scan.pixels_counts.shape for scan in scans} == {shape}
    assert (source.spec.planes, source.spec.channels) == (planes, channels)
    assert len({scan.plane for scan in scans}) == planes
    assert source.health()["lost"] == 0
    np.testing.assert_array_equal(scans[0].pixels_counts, tifffile.imread(path, key=0))
