"""A stimulus that was started again shows the next clip, and the numbers of frames continue."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
import pytest

from rtdecode.runtime.progress import Progress
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Body, Command, DisplayedFrame
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import GREY_CLIP, CommandState, Player
from stimulus.playlist import MovieFrame, movie, movie_frames
from stimulus.resumption import NAMES, Resumption
from stimulus.screen import HeadlessScreen

SHORT = StimulusConfig(embedded_clips=3, clip_s=0.2, seed=5)
PICTURE = np.zeros((2, 3), np.uint8)


class Shelf(Protocol):
    def push(self, item: Body) -> None: ...
    def shown(self) -> list[DisplayedFrame]: ...


def clips(names: str, first_clip: int = 0) -> Iterator[MovieFrame]:
    return movie(names, lambda name: (name, [PICTURE] * 3), first_clip=first_clip)


def test_the_order_of_clips_is_that_of_the_run_without_a_restart() -> None:
    whole = list(islice(movie_frames(SHORT, frame_rate_hz=30.0), 60))
    for first_clip in (1, 2, 5):
        later = movie_frames(SHORT, frame_rate_hz=30.0, first_clip=first_clip)
        expected = [frame for frame in whole if frame.place >= first_clip]
        found = list(islice(later, len(expected)))
        assert [(one.clip, one.index, one.place) for one in found] == [
            (one.clip, one.index, one.place) for one in expected
        ]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.luminance, other.luminance)


def player(
    clock: Clock, shelf: Shelf, resumption: Resumption, *, paused: bool = False
) -> tuple[Player, list[int]]:
    """A player that keeps its position, and the numbers of the frames that it flips."""
    screen, commands, numbers = HeadlessScreen(clock), CommandState(Event()), list[int]()
    commands.paused = paused

    def on_flip(number: int, frame: MovieFrame, t_flip_ns: int) -> None:
        numbers.append(number)
        resumption.keep(number, frame, t_flip_ns, commands)

    made = Player(
        screen,
        pacing_for(screen, clock=clock, frame_rate_hz=30.0),
        DisplayLog(light_delay_ms=0.0, refresh_hz=30.0),
        shelf,
        commands,
        resumption.first_frame,
        on_flip,
    )
    return made, numbers


def stopped_after(made: Player, frames: int) -> None:
    if made.display_log.displayed == frames:
        made.commands.apply(Command("stimulus", "stop", ""))


def test_an_interrupted_clip_is_not_shown_again(clock: Clock, shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "stimulus.progress"
    with Progress(path, NAMES) as progress:
        made, numbers = player(clock, shelf, Resumption(progress, None))
        made.play(clips("abcd"), between_frames=lambda: stopped_after(made, 5))
    assert numbers == [0, 1, 2, 3, 4]
    with Progress(path, NAMES) as progress:
        again = Resumption(progress, progress.read())
        assert again.first_clip == 2
        assert not again.starts_paused
        second, later = player(clock, shelf, again)
        second.play(clips("abcd", again.first_clip), between_frames=lambda: None)
    assert later == list(range(5, 11))
    assert "".join(frame.clip for frame in shelf.shown()) == "aaabb" + "cccddd"


def test_a_pause_remains_one(clock: Clock, shelf: Shelf, tmp_path: Path) -> None:
    with Progress(tmp_path / "kept", NAMES) as progress:
        made, _ = player(clock, shelf, Resumption(progress, None), paused=True)
        made.play(clips("ab"), between_frames=lambda: stopped_after(made, 2))
        assert {frame.clip for frame in shelf.shown()} == {GREY_CLIP}
        again = Resumption(progress, progress.read())
        assert again.starts_paused
        assert again.first_clip == 1


def test_a_restart_is_reported_once_with_the_time_without_frames(tmp_path: Path) -> None:
    before = {"clip": 3, "frame": 90, "t_flip_ns": 5_000_000_000, "paused": 0}
    resumption = Resumption(Progress(None, NAMES), before)
    event = resumption.event(7_500_000_000)
    assert event is not None
    assert (event.code, event.counts) == ("stimulus_restarted", {"seconds": pytest.approx(2.5)})
    assert resumption.event(8_000_000_000) is None
    assert Resumption(Progress(None, NAMES), None).event(1) is None
