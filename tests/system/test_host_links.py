"""What is sent between hosts arrives after a link was cut, and after a host lost its power."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from emulated_keys import ADDRESSES, introduce
from emulated_link import EmulatedHosts, LinkSettings, emulated_hosts, why_not_permitted

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(bool(why := why_not_permitted()), reason=why),
]

PROGRAMS = str(Path(__file__).parents[1] / "fixtures" / "link_programs.py")
HOST = "microscope"


@contextmanager
def program(
    hosts: EmulatedHosts, host: str, name: str, keys: Path
) -> Iterator["subprocess.Popen[str]"]:
    process = hosts.started(
        host,
        [sys.executable, PROGRAMS, name, str(keys)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Received:
    """Numbers that the receiving program has printed so far, by how they came."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.numbers: dict[str, list[int]] = {"recorded": [], "subscribed": []}

    def until(self, how: str, *, number: int) -> None:
        """Read until `number` or a later one came; the time limit of the test ends the wait."""
        while max(self.numbers[how], default=-1) < number:
            found = json.loads(self._lines.readline())
            if found != "ready":
                self.numbers[found[0]].append(found[1])


@pytest.mark.long
def test_a_cut_of_ten_seconds_loses_nothing(tmp_path: Path) -> None:
    introduce(tmp_path)
    with (
        emulated_hosts(LinkSettings(ADDRESSES)) as hosts,
        program(hosts, "main", "receive", tmp_path) as main,
        program(hosts, HOST, "send", tmp_path),
    ):
        received = Received(main)
        received.until("subscribed", number=50)
        hosts.cut(HOST)
        time.sleep(10.0)  # the length of the cut
        hosts.heal(HOST)
        last = received.numbers["recorded"][-1] + 600
        for how in ("recorded", "subscribed"):
            received.until(how, number=last)
            numbers = received.numbers[how]
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), how
        assert received.numbers["recorded"][0] == 0


def test_a_host_that_lost_its_power_is_received_again(tmp_path: Path) -> None:
    """Its connections were not closed: a subscriber, which sends nothing, must notice by itself."""
    introduce(tmp_path)
    with (
        emulated_hosts(LinkSettings(ADDRESSES)) as hosts,
        program(hosts, "main", "receive", tmp_path) as main,
    ):
        received = Received(main)
        with program(hosts, HOST, "send", tmp_path):
            received.until("subscribed", number=50)
            hosts.cut(HOST)
        hosts.reboot(HOST)
        hosts.heal(HOST)
        last = received.numbers["subscribed"][-1]
        with program(hosts, HOST, "send", tmp_path):
            received.until("recorded", number=last + 200)
            received.until("subscribed", number=last + 200)
