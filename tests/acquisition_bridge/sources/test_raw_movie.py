"""A movie as a source: every scan once, in order, at its time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from acquisition_bridge.sources.raw_movie import RawMovieSource
from rtdecode.schema.config.acquisition import RawMovieSource as RawMovieConfig
from rtdecode.schema.errors import MissingFileError, MovieFileError, MovieNotGivenError
from rtdecode.schema.messages import Scan

SCANS = np.random.default_rng(0).integers(0, 4000, (9, 12, 10)).astype(np.uint16)


@pytest.fixture
def config(tmp_path: Path) -> RawMovieConfig:
    tifffile.imwrite(tmp_path / "m.tif", SCANS, photometric="minisblack")
    return RawMovieConfig(path=tmp_path / "m.tif", scan_rate_hz=10.0, speed=2.0)


def streamed(source: RawMovieSource, clock: Any) -> list[Scan]:
    scans: list[Scan] = []
    source.begin(clock.now_ns())
    while not source.ended:
        for body in source.measured_until(clock.now_ns() + 20_000_000):
            assert isinstance(body, Scan)
            assert clock.now_ns() >= body.t_end_ns
            scans.append(body)
    source.close()
    return scans


def test_every_scan_comes_once_and_in_order(config: RawMovieConfig, clock: Any) -> None:
    scans = streamed(RawMovieSource(config, clock=clock), clock)
    assert [scan.number for scan in scans] == list(range(9))
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], SCANS)


def test_it_keeps_its_own_pace_times_the_speed(config: RawMovieConfig, clock: Any) -> None:
    begun_ns = clock.now_ns()
    scans = streamed(RawMovieSource(config, clock=clock), clock)
    assert [s.t_start_ns - begun_ns for s in scans] == [k * 50_000_000 for k in range(9)]
    assert clock.now_ns() - begun_ns == 9 * 50_000_000


def test_a_slow_reader_gets_all_scans_later(config: RawMovieConfig, clock: Any) -> None:
    source = RawMovieSource(config, clock=clock)
    source.begin(clock.now_ns())
    clock.t_ns += 10_000_000_000
    numbers = [source.measured_until(clock.now_ns())[0].number for _ in range(9)]
    assert numbers == list(range(9))
    assert source.ended
    assert source.measured_until(clock.now_ns()) == ()
    assert source.health() == {"scans": 9, "left": 0, "lost": 0}
    source.close()


def test_bare_pixels_stream_alike(tmp_path: Path, clock: Any) -> None:
    SCANS.tofile(tmp_path / "m.raw")
    config = RawMovieConfig(path=tmp_path / "m.raw", rows_px=12, cols_px=10)
    source = RawMovieSource(config, clock=clock)
    assert (source.spec.rows_px, source.spec.cols_px, source.spec.dtype) == (12, 10, "uint16")
    np.testing.assert_array_equal([s.pixels_counts for s in streamed(source, clock)], SCANS)


def test_without_a_movie_it_says_how_to_name_one(clock: Any) -> None:
    with pytest.raises(MovieNotGivenError, match="--movie"):
        RawMovieSource(RawMovieConfig(), clock=clock)
    with pytest.raises(MissingFileError, match=r"nowhere\.tif"):
        RawMovieSource(RawMovieConfig(path=Path("nowhere.tif")), clock=clock)


def test_files_of_one_page_each_are_not_taken_for_a_movie_of_one_scan(
    tmp_path: Path, clock: Any
) -> None:
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"ChanA_001_{number:03d}.tif", SCANS[number])
    path = tmp_path / "ChanA_001_001.tif"
    with pytest.raises(MovieFileError, match=r"single page, and ChanA_001_002\.tif lies beside"):
        RawMovieSource(RawMovieConfig(path=path), clock=clock)
    (tmp_path / "ChanA_001_002.tif").unlink()
    source = RawMovieSource(RawMovieConfig(path=path), clock=clock)
    assert len(streamed(source, clock)) == 1


@pytest.mark.shared
def test_a_real_two_photon_movie_streams_completely(shared_folder: Path, clock: Any) -> None:
    path = next((shared_folder / "data" / "raw_twophoton").glob("*.tiff"))
    scans = streamed(RawMovieSource(RawMovieConfig(path=path, speed=10.0), clock=clock), clock)
    assert [scan.number for scan in scans] == list(range(1000))
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], tifffile.imread(path))
