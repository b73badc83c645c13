"""A session over three hosts with delay and loss between them and clocks that are seconds apart.

The hosts are network namespaces, their link is emulated; see tests/fixtures/emulated_link.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hosts
import numpy as np
import pytest
from emulated_keys import ADDRESSES
from emulated_link import LinkSettings, emulated_hosts, is_busy, why_not_permitted
from network_rig import MAIN, NetworkRig, clocks_of, interrupted

from rtdecode.schema.errors import DataLostError

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(why := why_not_permitted()), reason=why),
]

RECORDING: Mapping[str, Any] = {
    "processes": ["recorder", "stimulus", "bridge"],
    "decode": None,
    "stimulus": {"presenter": "headless", "embedded_clips": 2, "clip_s": 1.0},
    "acquisition": {"source": {"kind": "simulated", "neurons": 20}},
}


@contextmanager
def network_rig(
    folder: Path,
    *,
    offsets_s: Sequence[float],
    drifts_ppm: Sequence[float],
    sections: Mapping[str, Any] = RECORDING,
) -> Iterator[NetworkRig]:
    clocks = clocks_of(offsets_s, drifts_ppm)
    with emulated_hosts(LinkSettings(dict(ADDRESSES))) as hosts:
        rig = NetworkRig(hosts, folder, clocks=clocks, sections=sections)
        yield rig
        assert [process.cmdline() for host in ADDRESSES for process in rig.processes(host)] == []


def assert_times_are_right(rig: NetworkRig) -> None:
    for source, host in (("bridge", "microscope"), ("stimulus", "screen")):
        times = rig.times(source, host)
        assert times.n > 50
        assert times.outside == 0, times.worst
        assert np.median(times.uncertainties_ms) < 1e3 / 60 or is_busy()


def test_times_of_three_hosts_are_right_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        network_rig(tmp_path, offsets_s=(1, -3, 3), drifts_ppm=(-50, 200, -200)) as rig,
        rig.run() as run,
        rig.join("microscope") as microscope,
        rig.join("screen") as screen,
    ):
        rig.wait_for("bridge/scan", 150, run)
        assert interrupted(run) == 0, rig.said(MAIN)
        assert (microscope.wait(), screen.wait()) == (0, 0)
        assert_times_are_right(rig)
        assert rig.plain().missing == {}
        assert rig.count("bridge/clock_probe") > 8
        assert "behind the main host's" in rig.said(MAIN)


@pytest.mark.long
@pytest.mark.parametrize("row", hosts.ROWS, ids=lambda row: row.name)
def test_whatever_the_clocks_and_the_faults_times_are_right(row: hosts.Row, tmp_path: Path) -> None:
    """Offsets and drifts of both signs, a window, cut links and reboots."""
    found = hosts.measured(row, tmp_path)
    for times in found.times.values():
        assert times.n > 50
        assert times.outside == 0, times.worst
    lost = found.missing
    assert found.stated_missing == lost
    # a host that loses its power loses what it had not handed over, and nothing else is lost
    rebooted = hosts.SOURCES.get(row.reboot, "")
    assert {stream.partition("/")[0] for stream in lost} <= {rebooted}
    assert found.exit_code == (DataLostError.exit_code if lost else 0)
    if row.cut:
        assert {"supervisor: host_silent", "supervisor: host_back"} <= set(found.events)
    if row.reboot:
        assert {"supervisor: host_rejoined", f"{rebooted}: process_restarted"} <= set(found.events)
    if row.decodes:
        # frames that were dated 3 s wrongly would have no correlation
        assert found.video_r is not None
        assert found.video_r > 0.2
