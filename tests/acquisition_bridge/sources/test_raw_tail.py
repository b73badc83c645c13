"""Growing raw files: channels, planes, flyback, independence of cuts."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.continued import last_scan
from acquisition_bridge.sources.opening import open_source
from acquisition_bridge.sources.raw_tail import RawDecoder, ThorExperiment, raw_tail
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RawTailSource
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.messages import Scan

LAYOUT = ThorExperiment(3, 4, 20.0, planes=2, flyback_scans=1, channels=2)
FRAMES = np.random.default_rng(0).integers(0, 65536, (7, 2, 3, 4)).astype("<u2")
DATA = FRAMES.tobytes()


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=10))
def test_any_cut_gives_the_scans_of_one_channel(cuts: list[int]) -> None:
    decoder, scans = RawDecoder(LAYOUT, channel=1), []
    edges = [0, *sorted(cuts), len(DATA)]
    for first, end in pairwise(edges):
        scans += decoder.feed(DATA[first:end])
    # frames 2 and 5 are flyback
    np.testing.assert_array_equal([s.pixels for s in scans], FRAMES[[0, 1, 3, 4, 6], 1])
    assert [(s.counter, s.plane) for s in scans] == [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0)]
    assert [s.t_source_ns for s in scans] == [k * 50_000_000 for k in (0, 1, 3, 4, 6)]


def test_size_and_rate_come_from_thorimages_header(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "Experiment.xml").write_text(
        '<E><LSM pixelX="4" pixelY="3" frameRate="20" channel="1"/></E>'
    )
    (tmp_path / "Image_001_001.raw").write_bytes(FRAMES[:, 0].tobytes())
    paths = {"path": tmp_path / "Image_001_001.raw", "experiment": tmp_path / "Experiment.xml"}
    source = raw_tail(RawTailSource(**paths, idle_s=0.2), clock)
    assert (source.spec.rows_px, source.spec.scan_rate_hz) == (3, 20.0)
    scans: list[Any] = []
    while not source.ended:
        scans += source.measured_until(clock.now_ns() + 50_000_000)
    np.testing.assert_array_equal([scan.pixels_counts for scan in scans], FRAMES[:, 0])
    source.close()


def test_a_restarted_bridge_leaves_out_the_scans_that_were_passed_on(
    tmp_path: Path, clock: Any
) -> None:
    """Scans that the file got while the bridge was down follow, and none is lost."""
    path = tmp_path / "scans.raw"
    path.write_bytes(FRAMES[:5, 0].tobytes())
    options = {"path": path, "rows_px": 3, "cols_px": 4, "scan_rate_hz": 20.0, "idle_s": 0.2}
    config = RunConfig.model_validate(
        {"acquisition": {"source": {"kind": "raw_tail", **options}}, "decode": None}
    )
    first = open_source(config, clock)
    before = [b for b in first.measured_until(clock.now_ns() + 10**9) if isinstance(b, Scan)]
    first.close()
    path.write_bytes(FRAMES[:, 0].tobytes())
    again, after = open_source(config, clock, last=last_scan(before[-1])), list[Scan]()
    while not again.ended:
        found = again.measured_until(clock.now_ns() + 50_000_000)
        after += [body for body in found if isinstance(body, Scan)]
    assert [scan.number for scan in [*before, *after]] == list(range(len(FRAMES)))
    np.testing.assert_array_equal([s.pixels_counts for s in [*before, *after]], FRAMES[:, 0])
    assert again.health()["lost"] == 0
    again.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows_px": 3}, "rows_px, cols_px and scan_rate_hz"),
        ({"rows_px": 3, "cols_px": 4, "scan_rate_hz": 20.0, "channel": 1}, "channel below 1"),
    ],
)
def test_what_must_be_set_is_named(options: dict[str, Any], says: str, clock: Any) -> None:
    with pytest.raises(SettingMissingError, match=says):
        raw_tail(RawTailSource(path=Path("x.raw"), **options), clock)
