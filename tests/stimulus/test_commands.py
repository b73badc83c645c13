"""Orders pause, resume and end the show; unknown ones are refused by name."""

from threading import Event

import pytest

from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.messages import Command
from stimulus.playback import Orders


def order(name: str) -> Command:
    return Command(target="stimulus", name=name, value="")


def told(*names: str) -> tuple[Orders, Event]:
    stop = Event()
    orders = Orders(stop)
    for name in names:
        orders.obey(order(name))
    return orders, stop


@pytest.mark.parametrize(
    ("names", "paused"),
    [((), False), (("pause",), True), (("pause", "show"), False), (("pause", "go"), True)],
)
def test_the_last_of_pause_and_show_counts(names: tuple[str, ...], paused: bool) -> None:
    orders, stop = told(*names)
    assert orders.paused is paused
    assert not orders.stopped
    assert not stop.is_set()


def test_stop_is_for_good() -> None:
    orders, stop = told("stop", "show")
    assert orders.stopped
    assert stop.is_set()


def test_a_stop_from_elsewhere_counts_as_well() -> None:
    orders, stop = told()
    stop.set()
    assert orders.stopped


def test_an_unknown_order_is_refused_by_name() -> None:
    orders, _ = told("pause")
    with pytest.raises(UnknownCommandError, match=r"'dance'.*stop, pause, show, go"):
        orders.obey(order("dance"))
    assert orders.paused
