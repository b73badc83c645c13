"""What is pushed is what was shown, in order, right after its flip."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, DisplayedFrame
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import GREY_CLIP, Orders, Player
from stimulus.playlist import MovieFrame
from stimulus.screen import HeadlessScreen
from stimulus.sync_patch import patch_grey


class Shelf(Protocol):
    def push(self, item: Body) -> None: ...
    def shown(self) -> list[DisplayedFrame]: ...


def nothing() -> None:
    """What most tests do each frame."""


@pytest.fixture
def screen(clock: Clock) -> HeadlessScreen:
    return HeadlessScreen(clock)


@pytest.fixture
def player(screen: HeadlessScreen, clock: Clock, shelf: Shelf) -> Player:
    pacing = pacing_for(screen, clock=clock, frame_rate_hz=30.0)
    truth = DisplayLog(light_delay_ms=0.0, refresh_hz=pacing.refresh_hz)
    return Player(screen, pacing, truth, shelf, Orders(Event()))


@pytest.fixture
def frames(pictures: NDArray[np.uint8]) -> Iterator[MovieFrame]:
    return (MovieFrame("noise", index, picture) for index, picture in enumerate(pictures))


def order(player: Player, name: str, *, at: int) -> Callable[[], None]:
    """Gives an order after frame `at`."""

    def each_frame() -> None:
        if player.truth.shown == at + 1:
            player.orders.obey(Command(target="stimulus", name=name, value=""))

    return each_frame


def test_all_frames_are_told_in_order_one_each_grid_frame(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame], pictures: NDArray[np.uint8]
) -> None:
    assert player.play(frames, each_frame=nothing) == "the movie is over"
    told = shelf.shown()
    np.testing.assert_array_equal([shown.luminance for shown in told], pictures)
    assert [shown.index for shown in told] == list(range(40))
    grid = FrameGrid(30.0)
    numbers = [grid.frame_at(shown.t_flip_ns) for shown in told]
    assert numbers == list(range(numbers[0], numbers[0] + 40))
    assert [shown.flips for shown in told] == [0] + [1] * 39


def test_the_truth_is_told_while_it_is_on_the_screen(
    player: Player, screen: HeadlessScreen, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    def look() -> None:
        newest = shelf.shown()[-1]
        assert screen.visible is not None
        np.testing.assert_array_equal(newest.luminance, screen.visible[0])
        assert screen.visible[1] == patch_grey(newest.index)

    player.play(frames, each_frame=look)
    assert len(shelf.shown()) == 40


def test_a_stop_ends_after_the_frame_that_is_shown(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    reason = player.play(frames, each_frame=order(player, "stop", at=6))
    assert reason == "stopped as asked"
    assert [shown.index for shown in shelf.shown()] == list(range(7))


def test_a_pause_is_grey_and_told_of_and_loses_no_frame(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame]
) -> None:
    pause, show = order(player, "pause", at=4), order(player, "show", at=9)
    player.play(frames, each_frame=lambda: (pause(), show())[0])
    told = shelf.shown()
    assert [shown.clip == GREY_CLIP for shown in told] == [False] * 5 + [True] * 5 + [False] * 35
    assert {int(value) for shown in told[5:10] for value in np.unique(shown.luminance)} == {128}
    assert [shown.index for shown in told if shown.clip != GREY_CLIP] == list(range(40))


def test_somebody_at_the_screen_may_end_it(
    player: Player, shelf: Shelf, frames: Iterator[MovieFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeadlessScreen, "is_quit", lambda _screen: len(shelf.shown()) == 3)
    assert player.play(frames, each_frame=nothing) == "ended at the screen"
    assert len(shelf.shown()) == 3


def test_no_frames_are_no_show(player: Player, shelf: Shelf) -> None:
    assert player.play(iter(()), each_frame=nothing) == "the movie is over"
    assert shelf.shown() == []
