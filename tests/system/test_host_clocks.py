"""Clocks of hosts that are seconds apart and drift, compared over a link with delay and loss."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from emulated_keys import ADDRESSES, introduce
from emulated_link import (
    EmulatedHosts,
    LinkSettings,
    emulated_hosts,
    is_busy,
    why_not_permitted,
)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(why := why_not_permitted()), reason=why),
]

FIXTURES = Path(__file__).parents[1] / "fixtures"
PROGRAMS = str(FIXTURES / "clock_programs.py")
HALF_FRAME_NS = 0.5e9 / 30
HOST = "microscope"
OFFSET_NS, DRIFT = -3_000_000_000, 200e-6


def shifted(offset_ns: int, drift: float, zero_ns: int) -> dict[str, str]:
    """The environment of a host with that clock."""
    setting = {"offset_ns": offset_ns, "drift": drift, "zero_ns": zero_ns, "truth": ""}
    paths = [str(FIXTURES / "other_host"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "RTDECODE_TEST_CLOCK": json.dumps(setting),
        "PYTHONPATH": os.pathsep.join(paths),
    }


@contextmanager
def compared(
    hosts: EmulatedHosts, keys: Path, *, seconds: float, zero_ns: int
) -> Iterator["subprocess.Popen[str]"]:
    """A host that is compared with the main host for `seconds`; its output."""
    python = sys.executable
    pipe = {"stdout": subprocess.PIPE}
    main = hosts.started("main", [python, PROGRAMS, "answer", str(keys)], **pipe)
    environment = shifted(OFFSET_NS, DRIFT, zero_ns)
    command = [python, PROGRAMS, "compare", str(keys), str(seconds)]
    rig = hosts.started(HOST, command, env=environment, **pipe)
    try:
        yield rig
    finally:
        for process in (rig, main):
            process.kill()
            process.communicate()


def error_ns(sample: dict[str, Any]) -> float:
    """How far the mapped clock was outside the time in which it was read."""
    before_ns, after_ns = sample["true_ns"]
    mapped_ns: int = sample["mapped_ns"]
    return max(0, before_ns - mapped_ns, mapped_ns - after_ns)


def test_times_are_right_within_the_stated_uncertainty_also_across_a_cut(tmp_path: Path) -> None:
    introduce(tmp_path)
    zero_ns, samples, events = time.monotonic_ns(), list[Any](), list[str]()
    with (
        emulated_hosts(LinkSettings(ADDRESSES)) as hosts,
        compared(hosts, tmp_path, seconds=12, zero_ns=zero_ns) as rig,
    ):
        assert rig.stdout is not None
        for line in rig.stdout:
            found = json.loads(line)
            if "event" in found:
                events.append(found["event"])
                continue
            samples.append(found)
            if len(samples) == 200:
                hosts.cut(HOST)
            if len(samples) == 350:
                hosts.heal(HOST)
    assert len(samples) == 600
    outside = [one for one in samples if error_ns(one) > one["uncertainty_ns"]]
    assert not outside, outside[0]
    mapped = [one["mapped_ns"] for one in samples]
    assert mapped == sorted(mapped)
    # also without any reply for some seconds, half a frame is not exceeded
    if not is_busy():
        assert max(one["uncertainty_ns"] for one in samples) < HALF_FRAME_NS
        assert events == []
    last = samples[-1]
    passed_ns = last["true_ns"][0] - zero_ns
    truth_ms = (OFFSET_NS + DRIFT * passed_ns) / 1e6
    assert abs(last["clock_offset_ms"] - truth_ms) < last["clock_uncertainty_ms"]
