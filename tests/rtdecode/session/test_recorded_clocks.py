"""Raw probes in a log give the clock of a host again, more exactly than it was known live."""

from pathlib import Path

import numpy as np

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.clock_map import ClockMap
from rtdecode.runtime.codec import pack
from rtdecode.schema.hosts import ClockProbe
from rtdecode.schema.messages import Body, Stamped, Start
from rtdecode.session.layout import named_session
from rtdecode.session.recorded_clocks import recorded_clocks
from rtdecode.session.recorder import Recorder

SECOND, MS = 1_000_000_000, 1_000_000
RATE = 150e-6
START = Start("s", config_yaml="", git_revision="", twin_hash="")


def host_ns(local_ns: int, *, offset_ns: int) -> int:
    return local_ns + offset_ns + round(RATE * local_ns)


def probes(seconds: int, *, offset_ns: int, seed: int = 0) -> list[ClockProbe]:
    rng, found = np.random.default_rng(seed), []
    for n in range(4 * seconds):
        sent_ns = n * SECOND // 4
        arrived_ns = sent_ns + int(rng.integers(3 * MS, 7 * MS))
        far_ns = host_ns(arrived_ns, offset_ns=offset_ns)
        replied_ns = arrived_ns + int(rng.integers(3 * MS, 7 * MS))
        found.append(ClockProbe(sent_ns, far_ns, far_ns, replied_ns))
    return found


def written(folder: Path, bodies: list[Body]) -> Path:
    session = named_session(folder)
    recorder = Recorder(session.folder, flush_s=1.0, clock=HostClock())
    for n, body in enumerate(bodies):
        message = Stamped("bridge", n, 10 * n, "host", body)
        recorder.write(pack(message), message, 10 * n)
    recorder.close()
    return session.log


def test_the_map_is_found_again_with_a_smaller_uncertainty(tmp_path: Path) -> None:
    sent = probes(120, offset_ns=3 * SECOND)
    (clock,) = recorded_clocks(written(tmp_path / "s", [START, *sent]), source="bridge")
    live, smaller = ClockMap(), 0
    for probe in sent:
        live.absorb(probe)
        t_ns = probe.t_reply_received_ns
        truth_ns = host_ns(t_ns, offset_ns=3 * SECOND)
        assert abs(clock.host_ns(t_ns) - truth_ns) <= clock.uncertainty_ns(t_ns) + 2
        assert live.estimate is not None
        smaller += clock.uncertainty_ns(t_ns) < live.estimate.uncertainty_ns(t_ns)
    assert smaller > 0.9 * len(sent)


def test_each_start_and_each_reset_has_a_clock_of_its_own(tmp_path: Path) -> None:
    bodies: list[Body] = [
        START,
        *probes(10, offset_ns=3 * SECOND),
        START,
        *probes(5, offset_ns=-3 * SECOND),
        *(
            ClockProbe(*(t_ns + 5 * SECOND for t_ns in times))
            for probe in probes(5, offset_ns=9 * SECOND)
            for times in [
                (
                    probe.t_request_ns,
                    probe.t_request_received_ns,
                    probe.t_reply_ns,
                    probe.t_reply_received_ns,
                )
            ]
        ),
    ]
    clocks = recorded_clocks(written(tmp_path / "s", bodies), source="bridge")
    offsets_s = [round(clock.estimate(SECOND).offset_ns / SECOND) for clock in clocks]
    assert offsets_s == [3, -3, 9]


def test_a_source_of_the_main_host_has_none(tmp_path: Path) -> None:
    assert recorded_clocks(written(tmp_path / "s", [START]), source="bridge") == []
