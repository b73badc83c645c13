"""Commands pause, resume and end playback; unknown commands are refused by name."""

from threading import Event

import pytest

from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.messages import Command
from stimulus.playback import CommandState


def command(name: str) -> Command:
    return Command(target="stimulus", name=name, value="")


def after_commands(*names: str) -> tuple[CommandState, Event]:
    stop = Event()
    state = CommandState(stop)
    for name in names:
        state.apply(command(name))
    return state, stop


@pytest.mark.parametrize(
    ("names", "paused"),
    [((), False), (("pause",), True), (("pause", "show"), False), (("pause", "start"), True)],
)
def test_the_last_of_pause_and_show_is_in_effect(names: tuple[str, ...], paused: bool) -> None:
    state, stop = after_commands(*names)
    assert state.paused is paused
    assert not state.stopped
    assert not stop.is_set()


def test_stop_is_final() -> None:
    state, stop = after_commands("stop", "show")
    assert state.stopped
    assert stop.is_set()


def test_a_stop_event_set_elsewhere_stops_too() -> None:
    state, stop = after_commands()
    stop.set()
    assert state.stopped


def test_an_unknown_command_is_refused_by_name_and_changes_nothing() -> None:
    state, _ = after_commands("pause")
    with pytest.raises(UnknownCommandError, match=r"'dance'.*stop, pause, show, start"):
        state.apply(command("dance"))
    assert state.paused
