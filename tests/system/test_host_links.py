"""What is sent between hosts arrives after a link was cut, and after a host lost its power."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from emulated_link import EmulatedHosts, LinkSettings, emulated_hosts, why_not_permitted

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(why := why_not_permitted()), reason=why),
]

PROGRAMS = str(Path(__file__).parents[1] / "fixtures" / "link_programs.py")
RECORD, PUBLISH = "tcp://10.77.0.1:5701", "tcp://10.77.0.2:5704"
HOSTS = {"main": "10.77.0.1", "rig": "10.77.0.2"}
Lines = Iterator[str]


@contextmanager
def program(hosts: EmulatedHosts, host: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = hosts.started(
        host,
        [sys.executable, PROGRAMS, arguments[0], RECORD, PUBLISH, *arguments[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Received:
    """Numbers that the receiving program has printed so far, by how they came and their source."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.numbers: dict[tuple[str, str], list[int]] = {}

    def until(self, how: str, source: str, *, number: int) -> None:
        """Read until `number` or a later one came; the time limit of the test ends the wait."""
        while max(self.numbers.get((how, source), [-1])) < number:
            found = json.loads(self._lines.readline())
            if found != "ready":
                self.numbers.setdefault((found[0], found[1]), []).append(found[2])


@pytest.mark.long
def test_a_cut_of_ten_seconds_loses_nothing() -> None:
    with (
        emulated_hosts(LinkSettings(HOSTS)) as hosts,
        program(hosts, "main", "receive") as main,
        program(hosts, "rig", "send", "rig"),
    ):
        received = Received(main)
        received.until("subscribed", "rig", number=50)
        hosts.cut("rig")
        time.sleep(10.0)  # the length of the cut
        hosts.heal("rig")
        last = received.numbers["recorded", "rig"][-1] + 600
        for how in ("recorded", "subscribed"):
            received.until(how, "rig", number=last)
            numbers = received.numbers[how, "rig"]
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), how
        assert received.numbers["recorded", "rig"][0] == 0


def test_a_host_that_lost_its_power_is_received_again() -> None:
    """Its connections were not closed: a subscriber, which sends nothing, must notice by itself."""
    with emulated_hosts(LinkSettings(HOSTS)) as hosts, program(hosts, "main", "receive") as main:
        received = Received(main)
        with program(hosts, "rig", "send", "before"):
            received.until("subscribed", "before", number=50)
            hosts.cut("rig")
        hosts.reboot("rig")
        hosts.heal("rig")
        with program(hosts, "rig", "send", "after"):
            received.until("recorded", "after", number=50)
            received.until("subscribed", "after", number=50)
        assert received.numbers["recorded", "after"][:51] == list(range(51))
