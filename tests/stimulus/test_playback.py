"""Every shown frame is published once, in order, right after its flip."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, DisplayedFrame
from rtdecode.schema.messages import Event as EventMessage
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import GREY_CLIP, CommandState, Player
from stimulus.playlist import MovieFrame
from stimulus.screen import HeadlessScreen
from stimulus.sync_patch import patch_grey


class Shelf(Protocol):
    bodies: list[Body]

    def push(self, item: Body) -> None: ...
    def shown(self) -> list[DisplayedFrame]: ...


def nothing() -> None:
    """The callback of tests without commands."""


@pytest.fixture
def screen(clock: Clock) -> HeadlessScreen:
    return HeadlessScreen(clock)


@pytest.fixture
def player(screen: HeadlessScreen, clock: Clock, shelf: Shelf) -> Player:
    pacing = pacing_for(screen, clock=clock, frame_rate_hz=30.0)
    display_log = DisplayLog(light_delay_ms=0.0, refresh_hz=pacing.refresh_hz)
    return Player(screen, pacing, display_log, shelf, CommandState(Event()))


@pytest.fixture
def frames(pictures: NDArray[np.uint8]) -> Iterator[MovieFrame]:
    return (MovieFrame("noise", index, picture) for index, picture in enumerate(pictures))


def command_at(player: Player, name: str, *, at: int) -> Callable[[], None]:
    """A callback that sends one command after frame `at`."""

    def between_frames() -> None:
        if player.display_log.displayed == at + 1:
            player.commands.apply(Command(target="stimulus", name=name, value=""))

    return between_frames


def test_all_frames_are_published_in_order_one_each_grid_frame(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame], pictures: NDArray[np.uint8]
) -> None:
    assert player.play(frames, between_frames=nothing) == "the movie is over"
    displayed = shelf.shown()
    np.testing.assert_array_equal([shown.luminance for shown in displayed], pictures)
    assert [shown.index for shown in displayed] == list(range(40))
    assert [shown.number for shown in displayed] == list(range(40))
    grid = FrameGrid(30.0)
    numbers = [grid.frame_at(shown.t_flip_ns) for shown in displayed]
    assert numbers == list(range(numbers[0], numbers[0] + 40))
    assert [shown.flips for shown in displayed] == [0] + [1] * 39


def test_a_displayed_frame_is_published_while_it_is_on_the_screen(
    player: Player, screen: HeadlessScreen, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    def compare() -> None:
        newest = shelf.shown()[-1]
        assert screen.visible is not None
        np.testing.assert_array_equal(newest.luminance, screen.visible[0])
        assert screen.visible[1] == patch_grey(newest.index)

    player.play(frames, between_frames=compare)
    assert len(shelf.shown()) == 40


def test_a_stop_ends_after_the_frame_that_is_shown(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    reason = player.play(frames, between_frames=command_at(player, "stop", at=6))
    assert reason == "stopped as asked"
    assert [shown.index for shown in shelf.shown()] == list(range(7))


def test_a_pause_shows_and_publishes_grey_and_loses_no_frame(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    pause, show = command_at(player, "pause", at=4), command_at(player, "show", at=9)
    player.play(frames, between_frames=lambda: (pause(), show())[0])
    displayed = shelf.shown()
    assert [shown.clip == GREY_CLIP for shown in displayed] == [False] * 5 + [True] * 5 + [
        False
    ] * 35
    assert {int(value) for shown in displayed[5:10] for value in np.unique(shown.luminance)} == {
        128
    }
    assert [shown.index for shown in displayed if shown.clip != GREY_CLIP] == list(range(40))


def test_a_quit_key_at_the_screen_ends_playback(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeadlessScreen, "is_quit", lambda _screen: len(shelf.shown()) == 3)
    assert player.play(frames, between_frames=nothing) == "ended at the screen"
    assert len(shelf.shown()) == 3


def test_an_empty_movie_ends_at_once(player: Player, shelf: Shelf) -> None:
    assert player.play(iter(()), between_frames=nothing) == "the movie is over"
    assert shelf.shown() == []


def test_a_screen_that_stands_still_is_published_as_an_event(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame], clock: Clock
) -> None:
    def stand_still() -> None:
        if player.display_log.displayed == 3:
            clock.sleep_until(clock.now_ns() + 5_000_000_000)

    player.play(frames, between_frames=stand_still)
    stalled, missed = (body for body in shelf.bodies if isinstance(body, EventMessage))
    assert (stalled.process, stalled.code) == ("stimulus", "screen_stalled")
    assert stalled.counts["seconds"] == pytest.approx(5, abs=0.1)
    assert (missed.process, missed.code) == ("stimulus", "flip_missed")
    assert missed.counts["refreshes"] == pytest.approx(149, abs=1)
