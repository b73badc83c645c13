"""PrairieView's T-series: frames of one channel in order of the xml, missing files are gaps."""

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.opening import open_source
from acquisition_bridge.sources.prairie_series import PrairieSeries, prairie_xml
from acquisition_bridge.sources.raw_movie import RawMovieSource
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import (
    MissingFileError,
    ScanRateError,
    SettingMissingError,
    UnreadableFileError,
)
from rtdecode.schema.messages import Scan

NAME = "TSeries-01012024-001"
RATE_HZ = 15.1
SCANS = np.random.default_rng(0).integers(0, 8000, (2, 12, 6, 8)).astype(np.uint16)


def file_name(cycle: int, channel: int, index: int) -> str:
    return f"{NAME}_Cycle{cycle:05d}_Ch{channel}_{index:06d}.ome.tif"


def written(folder: Path, *, planes: int = 1, rate_hz: float = RATE_HZ, options: str = "") -> Path:
    """A series of 12 frames of two channels; with several planes a cycle is a volume."""
    data = folder / NAME
    data.mkdir()
    sequences: dict[int, list[str]] = {}
    for k in range(12):
        cycle, index = (k // planes + 1, k % planes + 1) if planes > 1 else (1, k + 1)
        files = ""
        for channel in (1, 2):
            name = file_name(cycle, channel, index)
            tifffile.imwrite(data / name, SCANS[channel - 1, k], metadata=None)
            files += f'<File channel="{channel}" page="1" filename="{name}"/>'
        start = f'relativeTime="{k / rate_hz}" absoluteTime="{k / rate_hz + 1}"'
        sequences.setdefault(cycle, []).append(f'<Frame {start} index="{index}">{files}</Frame>')
    kind = "TSeries ZSeries Element" if planes > 1 else "TSeries Timed Element"
    body = "".join(
        f'<Sequence type="{kind}" cycle="{cycle}"{options}>{"".join(frames)}</Sequence>'
        for cycle, frames in sequences.items()
    )
    (data / f"{NAME}.xml").write_text(f'<?xml version="1.0"?><PVScan version="5.5">{body}</PVScan>')
    (data / f"{NAME}_Cycle00001_VoltageRecording_001.xml").write_text("<VRecSessionEntry/>")
    return data


def streamed(clock: Any, **source: Any) -> list[Scan]:
    config = RunConfig.model_validate({"acquisition": {"source": source}})
    scans: list[Scan] = []
    with closing(open_source(config, clock)) as made:
        made.begin(clock.now_ns())
        while not made.ended:
            for body in made.measured_until(clock.now_ns() + 50_000_000):
                assert isinstance(body, Scan)
                scans.append(body)
    return scans


@pytest.mark.parametrize(
    ("kind", "path", "channel"),
    [
        ("raw_movie", NAME, 1),
        ("raw_movie", f"{NAME}/{NAME}.xml", 1),
        ("tiff_tail", f"{NAME}/{file_name(1, 1, 1)}", 1),
        ("tiff_tail", f"{NAME}/{file_name(1, 2, 1)}", 2),
    ],
)
def test_folder_xml_and_first_file_give_every_scan_at_its_time(
    tmp_path: Path, clock: Any, kind: str, path: str, channel: int
) -> None:
    written(tmp_path)
    begun_ns = clock.now_ns()
    scans = streamed(clock, kind=kind, path=tmp_path / path, scan_rate_hz=15.0)
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], SCANS[channel - 1])
    assert [scan.number for scan in scans] == list(range(12))
    starts_s = (np.array([scan.t_start_ns for scan in scans]) - begun_ns) / 1e9
    np.testing.assert_allclose(starts_s, np.arange(12) / RATE_HZ, atol=1e-6)


def test_a_chosen_channel_is_read_and_a_missing_one_refused(tmp_path: Path, clock: Any) -> None:
    source = {"kind": "raw_movie", "path": written(tmp_path), "scan_rate_hz": 15.1}
    scans = streamed(clock, channel=2, **source)
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], SCANS[1])
    with pytest.raises(SettingMissingError, match=r"one of \[1, 2\].*channel 3 was not saved"):
        streamed(clock, channel=3, **source)


def test_a_missing_file_is_a_jump_of_the_scan_number(
    tmp_path: Path, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder = written(tmp_path)
    for index in (4, 5, 12):
        (folder / file_name(1, 1, index)).unlink()
    with caplog.at_level(logging.WARNING):
        scans = streamed(clock, kind="tiff_tail", path=folder / file_name(1, 1, 1))
    assert [scan.number for scan in scans] == [0, 1, 2, 5, 6, 7, 8, 9, 10]
    assert scans[3].t_start_ns - scans[2].t_start_ns == pytest.approx(3e9 / RATE_HZ, abs=2)
    assert "3 of 12 frames" in caplog.text
    series = PrairieSeries(folder / f"{NAME}.xml", channel=1)
    source = RawMovieSource(RawMovieConfig(), clock=clock, movie=series)
    for _ in range(9):
        source.measured_until(clock.now_ns() + 1_000_000_000)
    assert source.health() == {"scans": 9, "left": 0, "lost": 2}


def test_cycles_of_a_z_series_are_volumes(tmp_path: Path, clock: Any) -> None:
    folder = written(tmp_path, planes=3)
    scans = streamed(clock, kind="raw_movie", path=folder, scan_rate_hz=15.1)
    assert [scan.plane for scan in scans] == [0, 1, 2] * 4
    assert [scan.number for scan in scans] == list(range(12))


def test_another_configured_rate_is_refused_with_the_rate_of_the_file(
    tmp_path: Path, clock: Any
) -> None:
    with pytest.raises(ScanRateError, match=r"set acquisition\.source\.scan_rate_hz to 15\.1$"):
        streamed(clock, kind="raw_movie", path=written(tmp_path))


def test_what_is_no_complete_series_is_refused(tmp_path: Path, clock: Any) -> None:
    folder = written(tmp_path)
    (folder / f"{NAME}.xml").rename(tmp_path / "kept.xml")
    with pytest.raises(MissingFileError, match=r"PrairieView's xml"):
        prairie_xml(folder / file_name(1, 1, 1))
    with pytest.raises(UnreadableFileError, match="a folder without such an xml"):
        streamed(clock, kind="raw_movie", path=folder)
    with pytest.raises(UnreadableFileError, match="RAWDATA files must be converted"):
        PrairieSeries(tmp_path / "kept.xml", channel=None)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('index="3"', 'index="-3"', "index -3"),
        ('index="3"', 'index="2"', "do not follow one another"),
        ("</PVScan>", "", "no element found"),
        ("<PVScan", "<!DOCTYPE x><PVScan", "declares entities"),
        ("Timed Element", 'ZSeries Element" bidirectionalZ="True', "bidirectional Z series"),
        (f'absoluteTime="{3 / RATE_HZ + 1}"', 'absoluteTime="nan"', "at nan s"),
    ],
)
def test_a_damaged_xml_is_refused(tmp_path: Path, before: str, after: str, says: str) -> None:
    xml = written(tmp_path) / f"{NAME}.xml"
    text = xml.read_text()
    assert before in text
    xml.write_text(text.replace(before, after))
    with pytest.raises(UnreadableFileError, match=says):
        PrairieSeries(xml, channel=None)


@pytest.mark.shared
def test_a_real_series_of_two_planes_is_read(shared_folder: Path, clock: Any) -> None:
    folder = next((shared_folder / "data" / "vendor" / "BrukerTif").iterdir())
    scans = streamed(clock, kind="raw_movie", path=folder, scan_rate_hz=20.63)
    assert [scan.number for scan in scans] == list(range(10))
    assert [scan.plane for scan in scans] == [0, 1] * 5
    means = [float(scan.pixels_counts.mean()) for scan in scans[:2]]
    assert means == pytest.approx([721.2, 146.8], abs=0.05)
    periods_s = np.diff([scan.t_start_ns for scan in scans]) / 1e9
    np.testing.assert_allclose(periods_s, 0.048474237, atol=1e-6)
