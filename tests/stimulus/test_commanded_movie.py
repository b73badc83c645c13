"""The movie of a process: its order, what a command may name, and what a restart keeps."""

from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import pytest
import yaml

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.command_link import CommandSender
from rtdecode.runtime.command_receiver import WINDOW
from rtdecode.runtime.process import Process
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.run_info import RunInfo
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.errors import UnknownParameterError
from rtdecode.schema.messages import Body, DisplayedFrame
from stimulus.commanded_movie import CommandedMovie, commanded
from stimulus.playback import NoCommands
from stimulus.playlist import movie_frames
from stimulus.run_movie import run_movie

CLIPS = {"embedded_clips": 2, "clip_s": 0.2, "seed": 4}
CLOCK = HostClock()


class Shelf(Protocol):
    bodies: list[Body]

    def push(self, item: Body) -> None: ...


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "protocol.yaml"
    stimuli = [{"kind": "blank", "grey": 200, "duration_s": 0.1}]
    path.write_text(yaml.safe_dump({"blocks": [{"stimuli": stimuli, "repeats": 9}]}))
    return path


def test_the_clips_are_those_of_the_playlist_and_can_be_named(tmp_path: Path) -> None:
    config = RunConfig(stimulus=CLIPS)
    movie = run_movie(config, first=1)
    expected = list(islice(movie_frames(config.stimulus, frame_rate_hz=30.0, first_clip=1), 30))
    found = list(islice((one for clip in movie.presentations for one in clip({})), 30))
    assert [(one.clip, one.index, one.place) for one in found] == [
        (one.clip, one.index, one.place) for one in expected
    ]
    first = movie.clips.frames(found[0].clip)
    assert (first[0] == found[0].luminance).all()
    with pytest.raises(UnknownParameterError, match="there is no protocol"):
        movie.require_parameter("contrast", 0.5)


def test_a_protocol_has_its_trials_and_parameters(protocol: Path) -> None:
    movie = run_movie(RunConfig(stimulus={"protocol": protocol}), first=7)
    places = [[one.place for one in trial({})] for trial in movie.presentations]
    assert places == [[7] * 3, [8] * 3]
    movie.require_parameter("grey", 0)


def process(config: RunConfig, messaging: Messaging, *, restarts: int = 0) -> Process:
    info = RunInfo("session", "", "", {}, restarts=restarts)
    return Process(
        "stimulus", config, run_info=info, messaging=messaging, stop=Event(), clock=CLOCK
    )


def config_with(tmp_path: Path, **stimulus: Any) -> RunConfig:
    (tmp_path / "session").mkdir()
    network = {"commands": f"ipc://{tmp_path}/commands"}
    return RunConfig(stimulus=stimulus, record={"folder": tmp_path}, network=network)


def sent(tmp_path: Path, messaging: Messaging, *actions: Action) -> CommandSender:
    sender = CommandSender(
        messaging,
        clock=CLOCK,
        endpoint=f"ipc://{tmp_path}/commands",
        kept=KeptMessages(tmp_path / "session" / "sender", slots=WINDOW),
    )
    for action in actions:
        sender.send(action)
    return sender


def turn(show: CommandedMovie, number: int) -> DisplayedFrame:
    """One frame, as the player displays it."""
    show.commands.receive(0.01)
    show.commands.apply(CLOCK.now_ns())
    while show.frames._next_lane and not show.frames._next_lane.is_ready():
        pass
    frame = next(show.frames)
    show.commands.chosen(frame)
    shown = DisplayedFrame(frame.clip, frame.index, frame.luminance, CLOCK.now_ns(), 1)
    show.commands.flipped(shown, number)
    return shown


def test_a_parameter_is_still_in_effect_after_a_restart(
    tmp_path: Path, protocol: Path, shelf: Shelf
) -> None:
    config = config_with(tmp_path, protocol=protocol)
    dark = Action(5, "set_parameter", "mine", "sent", "", -1, 0, 0, 0, 0, target="grey", value=30.0)
    with Messaging() as messaging, Messaging() as other:
        movie, sender = run_movie(config), sent(tmp_path, other, dark)
        with commanded(process(config, messaging), movie, shelf) as show:
            while not show.commands._pending:
                show.commands.receive(0.1)
            for number in range(4):
                turn(show, number)
            while len(sender):
                sender.take(0.05)
    (result,) = shelf.bodies
    assert isinstance(result, Acknowledgement)
    assert (result.number, result.result) == (5, "applied")
    with Messaging() as messaging:
        again = process(config, messaging, restarts=1)
        with commanded(again, run_movie(config, first=4), shelf) as show:
            assert int(turn(show, 0).luminance[0, 0]) == 30
        show.remove()
    left = {path.name for path in (tmp_path / "session").iterdir()}
    assert not left & {"stimulus.commands", "stimulus.parameters"}


def test_without_an_endpoint_there_are_no_commands(shelf: Shelf) -> None:
    config = RunConfig(stimulus=CLIPS)
    with (
        Messaging() as messaging,
        commanded(process(config, messaging), run_movie(config), shelf) as show,
    ):
        assert isinstance(show.commands, NoCommands)
        assert turn(show, 0).index == 0
