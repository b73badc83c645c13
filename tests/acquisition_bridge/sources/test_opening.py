"""The config determines which source is opened."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from acquisition_bridge.sources.opening import open_source
from acquisition_bridge.sources.raw_movie import RawMovieSource
from acquisition_bridge.sources.simulated.source import SimulatedSource
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ScanRateError
from rtdecode.schema.messages import Scan


def test_a_movie_and_the_simulated_rig_are_distinguished(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "m.raw").write_bytes(bytes(32))
    movie = {"kind": "raw_movie", "path": tmp_path / "m.raw", "rows_px": 4, "cols_px": 4}
    made = open_source(RunConfig.model_validate({"acquisition": {"source": movie}}), clock)
    assert isinstance(made, RawMovieSource)
    made.close()
    small = {"kind": "simulated", "neurons": 5, "rows_px": 64, "cols_px": 64}
    made = open_source(RunConfig.model_validate({"acquisition": {"source": small}}), clock)
    assert isinstance(made, SimulatedSource)
    assert made.spec.scan_rate_hz == 15.0


SCANS = np.arange(40 * 48, dtype=np.int16).reshape(40, 6, 8)


def two_channels(path: Path, frames: int) -> None:
    """A ScanImage file of two alternating channels at 45 frames/s."""
    header = "SI.VERSION_MAJOR = 2021\nSI.hChannels.channelSave = [1;2]\n"
    header += "SI.hRoiManager.scanFrameRate = 45\n"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for k in range(2 * frames):
            text = f"frameNumbers = {k // 2 + 1}\nframeTimestamps_sec = {k // 2 / 45}\n"
            writer.write(SCANS[k], description=text, software=header, metadata=None)


@pytest.mark.parametrize("channel", [None, 2])
def test_a_scan_image_file_given_as_raw_movie_is_one_channel_at_its_rate(
    tmp_path: Path, clock: Any, channel: int | None
) -> None:
    two_channels(tmp_path / "m.tif", 20)
    source = {"kind": "raw_movie", "path": tmp_path / "m.tif", "scan_rate_hz": 45}
    config = {"acquisition": {"source": source | {"channel": channel}}}
    scans: list[Scan] = []
    with closing(open_source(RunConfig.model_validate(config), clock)) as made:
        while not made.ended:
            until_ns = clock.now_ns() + 50_000_000
            scans += [body for body in made.measured_until(until_ns) if isinstance(body, Scan)]
    first = 0 if channel is None else 1
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], SCANS[first::2])
    elapsed_s = (scans[-1].t_end_ns - scans[0].t_end_ns) / 1e9
    assert elapsed_s == pytest.approx(19 / 45, abs=1e-4)


def test_a_scan_image_file_at_another_rate_is_refused_with_its_rate(
    tmp_path: Path, clock: Any
) -> None:
    two_channels(tmp_path / "m.tif", 20)
    source = {"kind": "raw_movie", "path": tmp_path / "m.tif"}
    config = RunConfig.model_validate({"acquisition": {"source": source}})
    with pytest.raises(ScanRateError, match=r"ScanImage file.*45 scans/s.*to 45$"):
        open_source(config, clock)


PAGE = Path(__file__).resolve().parents[3] / "docs" / "rig.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_for_rigs_are_configs(example: str) -> None:
    config = RunConfig.model_validate(yaml.safe_load(example))
    assert config.acquisition.source.kind != "simulated"
