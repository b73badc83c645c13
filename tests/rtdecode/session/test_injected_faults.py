"""What is injected into a replay is counted exactly, and nothing else is changed."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.messages import Behaviour, DisplayedFrame, Received, Scan, Stamped
from rtdecode.session.injected_faults import InjectedFaults

N = 400
PERIOD_NS = 10_000_000


def stream() -> Iterator[Received]:
    """A scan, a sample of behaviour and a displayed frame every 10 ms."""
    pixels, picture = np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.uint8)
    for n in range(N):
        t_ns = n * PERIOD_NS
        for source, body in (
            ("bridge", Scan(pixels, n, 0, t_ns, t_ns)),
            ("bridge", Behaviour(t_ns, 0.0, 0.0, np.zeros(2, np.float32))),
            ("stimulus", DisplayedFrame("clip", n, picture, t_ns, 1)),
        ):
            yield Received(Stamped(source, n, t_ns, "host", body), t_ns)


def named(items: list[Received]) -> list[tuple[str, int]]:
    return [(item.message.stream, item.message.seq) for item in items]


def test_without_faults_nothing_is_changed() -> None:
    faults, sent = InjectedFaults(), list(stream())
    assert named(list(faults.step(iter(sent)))) == named(sent)
    assert (faults.is_active, faults.sentences()) == (False, [])


@given(seed=st.integers(0, 2**32 - 1), drop=st.floats(0, 1), jitter_ms=st.floats(0, 90))
def test_what_is_lost_is_counted_and_only_scans_are(
    seed: int, drop: float, jitter_ms: float
) -> None:
    faults = InjectedFaults(drop=drop, jitter_ms=jitter_ms, seed=seed)
    got = list(faults.step(stream()))
    lost = sum(faults.dropped.values())
    assert len(got) == 3 * N - lost
    assert sum(isinstance(item.message.body, Scan) for item in got) == N - lost


@given(seed=st.integers(0, 2**32 - 1), jitter_ms=st.floats(0.1, 90))
def test_arrivals_are_late_by_at_most_the_jitter_and_in_order(seed: int, jitter_ms: float) -> None:
    faults = InjectedFaults(jitter_ms=jitter_ms, seed=seed)
    got = list(faults.step(stream()))
    arrivals = [item.t_received_ns for item in got]
    assert arrivals == sorted(arrivals)
    late_ns = [item.t_received_ns - item.message.t_ns for item in got]
    assert 0 <= min(late_ns) <= max(late_ns) <= round(jitter_ms * 1e6)
    for source in ("bridge", "stimulus"):
        of_one = [name for name in named(got) if name[0].startswith(source)]
        assert of_one == [name for name in named(list(stream())) if name[0].startswith(source)]


def test_one_seed_loses_the_same_scans_and_about_the_asked_part() -> None:
    first, second = (InjectedFaults(drop=0.25, seed=7) for _ in range(2))
    assert named(list(first.step(stream()))) == named(list(second.step(stream())))
    # a standard deviation is sqrt(400 * 0.25 * 0.75) = 8.7 scans; the seed is fixed
    assert first.dropped["bridge/scan"] == pytest.approx(100, abs=35)
    (lost,) = first.sentences()
    assert lost == f"Injected: 25 % lost: {first.dropped['bridge/scan']} of bridge/scan."
