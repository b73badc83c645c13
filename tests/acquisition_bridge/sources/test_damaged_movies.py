"""Damaged movies of every kind: scans of the original, or one error that names the file."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition_bridge.sources.contract import ScanSource
from acquisition_bridge.sources.opening import open_source
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import BadInputError, ScanSizeChangedError
from rtdecode.schema.messages import Scan

SCANS = np.random.default_rng(0).integers(0, 4000, (6, 12, 16)).astype(np.int16)
HEADER = (
    "SI.VERSION_MAJOR = 2021\nSI.hChannels.channelSave = 1\nSI.hRoiManager.scanFrameRate = 30\n"
    "SI.hRoiManager.mroiEnable = false\n"
)
Case = tuple[Path, dict[str, Any]]


class Clock:
    """A clock that only moves when somebody sleeps on it."""

    t_ns = 0

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


def tiff(folder: Path, **options: Any) -> Path:
    tifffile.imwrite(folder / "m.tif", SCANS, photometric="minisblack", **options)
    return folder / "m.tif"


def scanimage(folder: Path, **options: Any) -> Path:
    with tifffile.TiffWriter(folder / "m_00001.tif", bigtiff=True) as writer:
        for number, scan in enumerate(SCANS):
            text = f"frameNumbers = {number + 1}\nframeTimestamps_sec = {number / 30}\n"
            writer.write(
                scan, description=text, software=HEADER, metadata=None, contiguous=False, **options
            )
    return folder / "m_00001.tif"


def image_j(folder: Path) -> Path:
    return tiff(folder, imagej=True, truncate=True, metadata={"axes": "TYX"})


def hdf5(folder: Path, **options: Any) -> Path:
    with h5py.File(folder / "m.h5", "w") as file:
        file.create_dataset("mov", data=SCANS, **options)
    return folder / "m.h5"


def prairie(folder: Path) -> Path:
    frames = ""
    for k, scan in enumerate(SCANS):
        name = f"s_Cycle00001_Ch1_{k + 1:06d}.ome.tif"
        tifffile.imwrite(folder / name, scan, metadata=None)
        frames += f'<Frame absoluteTime="{k / 30}" index="{k + 1}"><File channel="1" '
        frames += f'filename="{name}"/></Frame>'
    text = f'<PVScan version="5"><Sequence type="Timed" cycle="1">{frames}</Sequence></PVScan>'
    (folder / "s.xml").write_text(text)
    return folder / "s.xml"


MAKERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "tiff": (tiff, "raw_movie"),
    "lzw": (lambda folder: tiff(folder, compression="lzw", metadata=None), "raw_movie"),
    "image_j": (image_j, "raw_movie"),
    "image_j_tail": (image_j, "tiff_tail"),
    "scanimage": (scanimage, "raw_movie"),
    "scanimage_tail": (scanimage, "tiff_tail"),
    "zlib_tail": (lambda folder: scanimage(folder, compression="zlib"), "tiff_tail"),
    "hdf5": (hdf5, "raw_movie"),
    "gzip": (lambda folder: hdf5(folder, chunks=(1, 12, 16), compression="gzip"), "raw_movie"),
    "prairie": (prairie, "raw_movie"),
}


def streamed(path: Path, kind: str) -> list[Scan]:
    """All scans of the movie; an error of the source ends them."""
    clock = Clock()
    source: dict[str, Any] = {"kind": kind, "path": path, "scan_rate_hz": 30.0}
    if kind == "tiff_tail":
        source["idle_s"] = 0.01
    made: ScanSource = open_source(
        RunConfig.model_validate({"acquisition": {"source": source}}), clock
    )
    scans: list[Scan] = []
    with closing(made):
        for _ in range(200):
            if made.ended:
                break
            found = made.measured_until(clock.now_ns() + 10_000_000_000)
            scans += [body for body in found if isinstance(body, Scan)]
    return scans


def scans_or_sentence(path: Path, kind: str) -> list[Scan] | str:
    """Scans of the movie, or the sentence with which it is refused."""
    try:
        return streamed(path, kind)
    except (BadInputError, ScanSizeChangedError) as error:
        return str(error)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_truncated_movie_gives_a_prefix_or_is_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    make, kind = MAKERS[name]
    path = make(tmp_path_factory.mktemp("cut"))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    found = scans_or_sentence(path, kind)
    if isinstance(found, str):
        assert path.name in found
    else:
        for scan, pixels in zip(found, SCANS, strict=False):
            np.testing.assert_array_equal(scan.pixels_counts, pixels)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=50)
@given(data=st.data())
def test_a_movie_with_changed_bytes_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    make, kind = MAKERS[name]
    path = make(tmp_path_factory.mktemp("changed"))
    content = bytearray(path.read_bytes())
    place = st.one_of(st.integers(0, 600), st.integers(0, len(content) - 1))
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        content[min(at, len(content) - 1)] = value
    path.write_bytes(content)
    found = scans_or_sentence(path, kind)
    if isinstance(found, str):
        assert path.name in found or "all earlier scans had" in found
