"""Ten thousand commands over real sockets, while both ends are dropped and started again at random.

The frame loop, its commands and the link are those of the process; the screen has no window, and
the frame rate is high, so that the test ends soon.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.command_link import CommandSender
from rtdecode.runtime.command_receiver import WINDOW, CommandReceiver
from rtdecode.runtime.progress import KeptMessages
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.messages import Body, DisplayedFrame
from stimulus.commands import StimulusCommands
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import CommandState, Player
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.prefetch import FramePrefetcher, Presentation
from stimulus.repertoire import Frames, Repertoire
from stimulus.screen import HeadlessScreen

N_COMMANDS, RATE_HZ, SIZE = 10_000, 2000.0, (2, 3)
NAMES = ("show_clip", "show_clip", "show_frames", "set_parameter", "pause", "resume", "dance")
CLIPS = {"one": 1, "three": 3}
CLOCK = HostClock()


def decoded(name: str) -> Frames:
    return np.full((CLIPS[name], *SIZE), 9, np.uint8)


def presentations() -> Iterator[Presentation[MovieFrame]]:
    """Trials of three frames."""
    number = 0
    while True:
        yield trial(number)
        number += 1


def trial(number: int) -> Presentation[MovieFrame]:
    def frames(parameters: Mapping[str, float]) -> Iterator[MovieFrame]:
        shown = DisplayedTrial(number, "block", "movie", dict(parameters))
        for index in range(3):
            yield MovieFrame("movie", index, np.full(SIZE, index, np.uint8), number, shown)

    return frames


@dataclass
class Log:
    """What the recorder gets, over all restarts."""

    results: list[Acknowledgement] = field(default_factory=list)
    flips: list[int] = field(default_factory=list)

    def push(self, item: Body) -> None:
        if isinstance(item, Acknowledgement):
            self.results.append(item)
        elif isinstance(item, DisplayedFrame):
            self.flips.append(item.t_flip_ns)


def cut(messaging: Messaging) -> None:
    """Lose what is under way when the sockets close, as a kill does."""
    for socket in messaging._sockets:
        socket.linger = 0


class KilledError(Exception):
    """Ends the stimulus between two frames."""


class Controller:
    """Sends all commands, in bursts, and is itself dropped at random."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self._folder, self._rng = folder, rng
        self.sent = 0
        self.results: dict[int, str] = {}
        self.due: set[int] = set()
        """Numbers of the commands that are meant for a flip of their own."""
        self.restarts = 0
        self._open()

    def _open(self) -> None:
        self._messaging = Messaging()
        kept = KeptMessages(self._folder / "sender", slots=WINDOW)
        endpoint = f"ipc://{self._folder}/link"
        self._sender = CommandSender(self._messaging, clock=CLOCK, endpoint=endpoint, kept=kept)

    def turn(self) -> None:
        """Send some, take the results, and sometimes start again."""
        for _ in range(self._rng.integers(0, 24)):
            if self.sent < N_COMMANDS and self._sender.send(self._action(self.sent)):
                self.sent += 1
        for result in self._sender.take():
            assert self.results.setdefault(result.number, result.result) == result.result
        if self._rng.random() < 0.02:
            cut(self._messaging)
            self.close()
            self._open()
            self.restarts += 1

    @property
    def is_over(self) -> bool:
        return self.sent == N_COMMANDS and not len(self._sender)

    def close(self) -> None:
        self._messaging.close()

    def _action(self, number: int) -> Action:
        name = str(self._rng.choice(NAMES))
        # pauses are rare and short, so that most commands act
        name = "resume" if name == "pause" and self._rng.random() < 0.7 else name
        target = str(self._rng.choice([*CLIPS]))
        due_ns = CLOCK.now_ns() + int(self._rng.integers(-1, 3)) * 1_000_000
        if self._rng.random() < 0.2:
            self.due.add(number)
        else:
            due_ns = 0
        frames = np.full((2, *SIZE), number % 256, np.uint8)
        return Action(
            number, name, "test", "sent", "", -1, 0, 0, 0, 0, target, 0.5, "", due_ns,
            frames if name == "show_frames" else np.zeros((0, 0, 0), np.uint8),
        )  # fmt: skip


@dataclass
class Stimulus:
    """The stimulus process without a process, which can be killed and started again."""

    folder: Path
    rng: np.random.Generator
    log: Log = field(default_factory=Log)
    first_frame: int = 0
    begun: Counter[int] = field(default_factory=Counter)
    """Times that the clip of each action began on the screen."""

    def play_until_killed(self, controller: Controller) -> None:
        screen, state = HeadlessScreen(CLOCK), CommandState(Event())
        with (
            Messaging() as messaging,
            FramePrefetcher(presentations(), ahead=30) as frames,
            Repertoire(decoded, lambda _name, _value: None, size_px=SIZE) as repertoire,
        ):
            receiver = CommandReceiver(
                messaging,
                clock=CLOCK,
                endpoint=f"ipc://{self.folder}/link",
                kept=KeptMessages(self.folder / "receiver", slots=WINDOW),
            )
            player = Player(
                screen,
                pacing_for(screen, clock=CLOCK, frame_rate_hz=RATE_HZ),
                DisplayLog(light_delay_ms=0.0, refresh_hz=RATE_HZ),
                self.log,
                state,
                first_frame=self.first_frame,
                on_flip=self._flipped,
                remote=StimulusCommands(
                    receiver, frames, repertoire, state=state, sink=self.log, frame_rate_hz=RATE_HZ
                ),
            )
            try:
                player.play(frames, between_frames=lambda: self._between_frames(controller, state))
            except KilledError:
                cut(messaging)
                raise

    def _flipped(self, _number: int, frame: MovieFrame, _t_ns: int) -> None:
        self.first_frame += 1
        if frame.of_trial is not None and frame.of_trial.cause >= 0 and frame.index == 0:
            self.begun[frame.of_trial.cause] += 1

    def _between_frames(self, controller: Controller, state: CommandState) -> None:
        controller.turn()
        if controller.is_over:
            state._stop.set()
        elif self.rng.random() < 0.02:
            raise KilledError


@pytest.mark.parametrize("seed", [5])
def test_each_command_has_one_result_and_acts_at_most_once(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stimulus, controller, kills = Stimulus(tmp_path, rng), Controller(tmp_path, rng), 0
    while not controller.is_over:
        try:
            stimulus.play_until_killed(controller)
        except KilledError:
            kills += 1
    controller.close()

    recorded = {result.number: result for result in stimulus.log.results}
    assert len(stimulus.log.results) == N_COMMANDS
    assert sorted(recorded) == [*range(N_COMMANDS)]
    assert controller.results == {number: one.result for number, one in recorded.items()}
    displayed = {n for n, one in recorded.items() if one.result in {"applied", "late"}}
    shows = {n for n in displayed if recorded[n].name in {"show_clip", "show_frames"}}
    assert shows == set(stimulus.begun)
    assert set(stimulus.begun.values()) == {1}
    for number in displayed:
        assert stimulus.log.flips[recorded[number].frame_number] == recorded[number].t_flip_ns
    at_once = [recorded[number].frame_number for number in sorted(shows - controller.due)]
    assert at_once == sorted(at_once)
    results = Counter(one.result for one in recorded.values())
    # all of it happened, and commands shared flips
    assert {*results} == {"applied", "late", "refused", "replaced", "withdrawn"}
    assert min(controller.restarts, kills) > 2
    assert len({one.t_flip_ns for one in recorded.values()}) < len(displayed)
