"""Clocks of hosts as page and summary state them."""

from rtdecode.runtime.clock_state import HostClocks
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.messages import Health


def health(offset_ms: float, drift_ppm: float, uncertainty_ms: float) -> Health:
    counters = {
        "clock_offset_ms": offset_ms,
        "clock_drift_ppm": drift_ppm,
        "clock_drift_uncertainty_ppm": 24.0,
        "clock_uncertainty_ms": uncertainty_ms,
    }
    return Health("running", "", counters)


def test_the_newest_figures_and_the_largest_uncertainty_of_a_host_are_stated() -> None:
    clocks = HostClocks(NetworkConfig())
    clocks.add("bridge", health(3000.0, 200.0, 9.0))
    clocks.add("bridge", health(3000.5, 199.6, 4.0))
    (clock,) = clocks.figures()
    assert clock.text() == "bridge: clock 3.000500 s, 200 ± 24 ppm, ± 4.0 ms"
    assert clock.sentence() == (
        "The clock of bridge was 3.000500 s ahead of the main host's, with a drift of "
        "200 ± 24 ppm; times of this host are right within 9.0 ms."
    )


def test_processes_of_one_host_are_one_clock_under_its_name() -> None:
    hosts = {
        "decoder": {"address": "10.0.0.2"},
        "rig": {"address": "10.0.0.3", "processes": ["bridge", "stimulus"]},
    }
    clocks = HostClocks(NetworkConfig.model_validate({"hosts": hosts}))
    clocks.add("bridge", health(-1.0, -0.4, 0.2))
    clocks.add("stimulus", health(-1.0, -0.4, 0.3))
    (clock,) = clocks.figures()
    assert clock.text() == "rig: clock −0.001000 s, 0 ± 24 ppm, ± 0.3 ms"
    assert "behind the main host's" in clock.sentence()


def test_processes_of_the_main_host_state_no_clock() -> None:
    clocks = HostClocks(NetworkConfig())
    clocks.add("decoder", Health("running", "", {"frames": 3.0}))
    assert clocks.figures() == []


def test_a_heartbeat_with_counters_that_no_clock_has_is_left_out() -> None:
    clocks = HostClocks(NetworkConfig())
    clocks.add("bridge", health(float("nan"), 0.0, 1.0))
    clocks.add("bridge", health(0.0, float("inf"), 1.0))
    assert clocks.figures() == []
