"""Refused connections are counted by cause and address, and stated rarely enough to be read."""

import pytest

from rtdecode.runtime.strangers import Strangers
from rtdecode.schema.messages import Event

SECOND_NS = 1_000_000_000


def offered(strangers: Strangers, *, t_s: float, taken: bool = True) -> list[Event]:
    events: list[Event] = []

    def offer(event: Event) -> bool:
        events.append(event)
        return taken

    strangers.report(offer, process="recorder", t_ns=round(t_s * SECOND_NS))
    return events


def test_every_connection_is_in_one_event_of_its_cause_and_address() -> None:
    strangers = Strangers()
    for address in ("10.0.0.9", "10.0.0.9", "10.0.0.8"):
        strangers.add_unknown(address)
    strangers.add_unencrypted("10.0.0.9")
    events = [event for t_s in range(100) for event in offered(strangers, t_s=t_s)]
    assert sorted((event.counts["connections"], event.text[17:25]) for event in events) == [
        (1, "10.0.0.8"),
        (1, "10.0.0.9"),
        (2, "10.0.0.9"),
    ]
    assert strangers.n == 4


def test_what_is_not_sent_is_in_the_next_event() -> None:
    strangers = Strangers()
    strangers.add_unknown("10.0.0.9")
    offered(strangers, t_s=0, taken=False)
    strangers.add_unknown("10.0.0.9")
    [event] = offered(strangers, t_s=0)
    assert event.counts == {"connections": 2}


def test_events_of_a_peer_that_goes_on_become_rare_and_then_frequent_again() -> None:
    strangers = Strangers()
    times = []
    for t_s in range(600):
        strangers.add_unknown("10.0.0.9")
        times += [t_s for _ in offered(strangers, t_s=t_s)]
    assert times[:5] == [0, 1, 3, 7, 15]
    assert times[-1] - times[-2] == 10
    for t_s in range(600, 1000):
        offered(strangers, t_s=t_s)
    strangers.add_unknown("10.0.0.9")
    assert offered(strangers, t_s=1000)
    strangers.add_unknown("10.0.0.9")
    assert offered(strangers, t_s=1001)


def test_a_flood_from_many_addresses_has_a_bounded_number_of_texts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strangers = Strangers()
    for n in range(1000):
        strangers.add_unknown(f"10.0.{n // 256}.{n % 256}")
    texts = {event.text for t_s in range(0, 6000, 61) for event in offered(strangers, t_s=t_s)}
    assert len(texts) == 9
    assert len(caplog.records) < 30
    assert strangers.n == 1000


def test_an_own_connection_that_is_refused_says_what_to_do() -> None:
    strangers = Strangers()
    strangers.add_not_admitted("decoder", endpoint="tcp://10.0.0.2:5700", own="screen")
    [event] = offered(strangers, t_s=0)
    assert event.code == "connection_refused"
    assert "run `rtdecode keys allow screen.key` there" in event.text
    assert strangers.n == 0
