"""Commands of a controller act at the flip they are meant for, and each has one result."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.command_receiver import WINDOW, CommandOrder, ReceivedCommand
from rtdecode.runtime.progress import KeptMessages
from rtdecode.schema.control import Acknowledgement, Action
from rtdecode.schema.errors import UnknownClipError, UnknownParameterError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Body, Command, DisplayedFrame
from stimulus.commands import StimulusCommands
from stimulus.display_log import DisplayLog
from stimulus.pacing import MARGIN_NS, pacing_for
from stimulus.playback import GREY_CLIP, CommandState, Player
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.prefetch import FramePrefetcher, Presentation
from stimulus.repertoire import Frames, Repertoire
from stimulus.screen import HeadlessScreen

MS = 1_000_000
GRID = FrameGrid(30.0)
FIRST = 150
"""Frame of the grid of the first flip."""
SIZE = (3, 4)
N = 10
"""Frames of one trial of the movie; its interval has two."""
LAST = 3000
"""Frames after which a run ends, as one that is paused has no end."""


def flip_ns(frame: int) -> int:
    """Flip of the frame of this number in an undisturbed run."""
    return GRID.start_ns(FIRST + frame)


@dataclass
class HandClock:
    now: int = flip_ns(0)

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, t_ns: int) -> None:
        self.now = max(self.now, t_ns)


@dataclass
class Shelf:
    bodies: list[Body] = field(default_factory=list)

    def push(self, item: Body) -> None:
        self.bodies.append(item)


@dataclass
class ScriptedLink:
    """Commands that arrive at given times; waiting for them lets time pass."""

    clock: HandClock
    script: list[tuple[int, ReceivedCommand]]
    answers: list[tuple[int, Acknowledgement]] = field(default_factory=list)
    has_sender: bool = True
    lost_ns: int = 0

    def __post_init__(self) -> None:
        self._order = CommandOrder(KeptMessages(None, slots=WINDOW))

    def take(self, wait_s: float = 0.0) -> list[ReceivedCommand]:
        until_ns = self.clock.now + round(wait_s * 1e9)
        first_ns = self.script[0][0] if self.script else until_ns
        self.clock.sleep_until(min(first_ns, until_ns))
        arrived = [one for t_ns, one in self.script if t_ns <= self.clock.now]
        self.script = self.script[len(arrived) :]
        commands = (replace(one, t_received_ns=self.clock.now) for one in arrived)
        return [one for one in commands if self._order.received(one) is one]

    def has_lost_sender(self) -> bool:
        return self.lost_ns <= self.clock.now and self.lost_ns > 0

    def answer(self, seq: int, result: Acknowledgement) -> None:
        self._order.answered(seq, result, t_ns=self.clock.now)
        self.answers.append((seq, result))


def trial(number: int, *, length: int = N, waits: bool = False) -> Presentation[MovieFrame]:
    def frames(parameters: Mapping[str, float]) -> Iterator[MovieFrame]:
        shown = DisplayedTrial(number, "block", "movie", {"contrast": 1.0} | dict(parameters))
        for index in range(length):
            yield MovieFrame("movie", index, np.full(SIZE, number, np.uint8), number, shown)
        for index in range(2):
            yield MovieFrame("interval", index, np.full(SIZE, 128, np.uint8), number)

    def wait(_parameters: Mapping[str, float]) -> Iterator[MovieFrame]:
        yield MovieFrame("wait", 0, np.full(SIZE, 128, np.uint8), number - 1, waits=True)

    return wait if waits else frames


def decoded(name: str) -> Frames:
    """Two clips of 4 and 6 frames."""
    lengths = {"stripes": 4, "leaves": 6}
    if name not in lengths:
        raise UnknownClipError(got=name, known=[*lengths])
    return np.full((lengths[name], *SIZE), 200, np.uint8)


def require_parameter(name: str, value: float) -> None:
    if name != "contrast" or not 0 <= value <= 1:
        raise UnknownParameterError(got=f"{name} = {value}", known=["contrast, 0 to 1"])


@dataclass
class Run:
    """What a run of the player has displayed and answered."""

    shelf: Shelf
    link: ScriptedLink
    trials: list[DisplayedTrial | None]
    kept: list[dict[str, float]]

    @property
    def shown(self) -> list[DisplayedFrame]:
        return [body for body in self.shelf.bodies if isinstance(body, DisplayedFrame)]

    @property
    def clips(self) -> list[tuple[str, int]]:
        """Names of the clips in order, each with its number of frames."""
        return [(name, len([*run])) for name, run in groupby(shown.clip for shown in self.shown)]

    @property
    def results(self) -> dict[int, Acknowledgement]:
        """By number of the action; each was recorded once and sent once."""
        recorded = [body for body in self.shelf.bodies if isinstance(body, Acknowledgement)]
        assert recorded == [answer for _, answer in self.link.answers]
        by_number = {one.number: one for one in recorded}
        assert len(by_number) == len(recorded)
        for one in recorded:
            if one.frame_number >= 0:
                assert one.t_flip_ns == self.shown[one.frame_number].t_flip_ns
        return by_number


def action(number: int, name: str, target: str = "", **fields: Any) -> ReceivedCommand:
    made = Action(number, name, "test", "sent", "", -1, 0, 0, 0, 0, target, **fields)
    return ReceivedCommand(number, made, 0)


def withdrawn(command: ReceivedCommand) -> ReceivedCommand:
    return replace(command, action=replace(command.action, outcome="withdrawn"))


@contextmanager
def ready(names: tuple[str, ...], clips: Callable[[str], Frames]) -> Iterator[Repertoire]:
    with Repertoire(clips, require_parameter, size_px=SIZE) as repertoire:
        repertoire.load([*names, "cats"] if names else [])
        # decoded, or refused, before the first frame
        for decoding in repertoire._clips.values():
            wait([decoding])
        yield repertoire


def played(
    *script: tuple[float, ReceivedCommand],
    movie: list[Presentation[MovieFrame]] | None = None,
    clips: Callable[[str], Frames] = decoded,
    loaded: tuple[str, ...] = ("stripes", "leaves"),
    operator: Callable[[Player], None] = lambda _player: None,
    light_delay_ms: float = 0.0,
    refresh_hz: float | None = None,
    is_ready: bool = True,
    lost_at: float = 0.0,
    last: int = LAST,
) -> Run:
    """A run with commands that arrive at (frame of the movie, command).

    A trial that is made again with another parameter is ready at once unless `is_ready` is False.
    """
    clock, shelf, kept = HandClock(), Shelf(), list[dict[str, float]]()
    times = [(round(flip_ns(0) + frame * 1e9 / 30), command) for frame, command in script]
    lost_ns = round(flip_ns(0) + lost_at * 1e9 / 30) if lost_at else 0
    link, state, trials = (
        ScriptedLink(clock, times, lost_ns=lost_ns),
        CommandState(Event()),
        list[Any](),
    )
    screen = HeadlessScreen(clock, refresh_hz=refresh_hz)
    presentations = [trial(number) for number in range(4)] if movie is None else movie
    with FramePrefetcher(iter(presentations), ahead=30) as frames, ready(loaded, clips) as shows:
        commands = StimulusCommands(
            link,  # type: ignore[arg-type]
            frames,
            shows,
            state=state,
            sink=shelf,
            frame_rate_hz=30.0,
            light_delay_ms=light_delay_ms,
            keep=lambda parameters: kept.append(dict(parameters)),
        )
        player = Player(
            screen,
            pacing_for(screen, clock=clock, frame_rate_hz=30.0),
            DisplayLog(light_delay_ms=light_delay_ms, refresh_hz=refresh_hz or 30.0),
            shelf,
            state,
            on_flip=lambda _number, frame, _t_ns: trials.append(frame.of_trial),
            remote=commands,
        )

        def between_frames() -> None:
            operator(player)
            while is_ready and frames._next_lane and not frames._next_lane.is_ready():
                pass
            if player.display_log.displayed == last:
                state.apply(Command("stimulus", "stop", ""))

        player.play(frames, between_frames=between_frames)
        commands.end()
    return Run(shelf, link, trials, kept)


def test_a_clip_interrupts_the_movie_at_the_next_flip_and_the_next_trial_follows() -> None:
    run = played((4.5, replace(action(7, "show_clip", "stripes"), seq=0)))
    assert run.clips == [("movie", 5), ("stripes", 4), *[("movie", N), ("interval", 2)] * 3]
    result = run.results[7]
    assert (result.result, result.frame_number, result.target) == ("applied", 5, "stripes")
    assert result.t_flip_ns == flip_ns(5)
    assert [shown.index for shown in run.shown[5:9]] == [0, 1, 2, 3]
    assert [one.number for one in run.trials if one is not None][5:10] == [-1] * 4 + [1]
    assert run.trials[5] is not None
    assert (run.trials[5].cause, run.trials[5].stimulus) == (7, "stripes")


def test_given_frames_are_displayed_under_their_name_exactly_as_they_are() -> None:
    frames = np.random.default_rng(2).integers(0, 256, (5, *SIZE), np.uint8)
    run = played((2.5, action(0, "show_frames", "shown back", frames=frames)))
    assert run.clips[:3] == [("movie", 3), ("shown back", 5), ("movie", N)]
    np.testing.assert_array_equal([shown.luminance for shown in run.shown[3:8]], frames)


@pytest.mark.parametrize("refresh_hz", [None, 60.0, 120.0])
def test_a_command_that_comes_shortly_before_a_flip_is_in_time(refresh_hz: float | None) -> None:
    margin = MARGIN_NS / (1e9 / 30)
    # the first flip on a monitor is at the first refresh, and the others follow it
    flip = 9 + (0 if refresh_hz is None else 30 / refresh_hz)
    in_time = played((flip - 1.1 * margin, action(0, "pause")), refresh_hz=refresh_hz, last=20)
    too_late = played((flip - 0.5 * margin, action(0, "pause")), refresh_hz=refresh_hz, last=20)
    first = in_time.results[0].frame_number
    assert too_late.results[0].frame_number == first + 1
    assert 0 < in_time.results[0].t_flip_ns - in_time.results[0].t_received_ns < 1.2 * MARGIN_NS


def test_a_command_for_a_later_flip_waits_for_it_and_holds_up_no_other() -> None:
    run = played(
        (1.5, action(0, "show_clip", "stripes", t_due_ns=flip_ns(6))),
        (1.5, action(1, "show_clip", "leaves")),
    )
    assert run.clips[:3] == [("movie", 2), ("leaves", 4), ("stripes", 4)]
    assert [run.results[n].result for n in (0, 1)] == ["applied", "applied"]
    assert run.results[0].t_flip_ns == flip_ns(6)


def test_a_command_that_comes_too_late_for_its_flip_takes_the_next_and_says_so() -> None:
    run = played((5.5, action(0, "show_clip", "stripes", t_due_ns=flip_ns(4))))
    result = run.results[0]
    assert (result.result, result.t_flip_ns) == ("late", flip_ns(6))
    assert result.text == "66.7 ms after the flip for which it was meant"


def test_flips_are_those_of_the_light_on_the_screen() -> None:
    due_ns = flip_ns(6) + 20 * MS
    run = played((1.5, action(0, "pause", t_due_ns=due_ns)), light_delay_ms=20.0)
    assert (run.results[0].result, run.results[0].t_flip_ns) == ("applied", due_ns)


def test_a_clip_that_is_being_decoded_delays_no_flip_and_is_late() -> None:
    proceed = Event()

    def slow(name: str) -> Frames:
        assert proceed.wait(60)
        return decoded(name)

    def proceed_at_12(player: Player) -> None:
        if player.display_log.displayed == 12:
            proceed.set()
            # the clock of this run does not wait for the thread that decodes
            wait([player.remote._repertoire._clips["stripes"]])

    long = [trial(0, length=LAST)]
    command = action(0, "show_clip", "stripes")
    run = played((3.5, command), movie=long, clips=slow, loaded=(), operator=proceed_at_12)
    result = run.results[0]
    assert (result.result, result.text) == ("late", "the clip was being decoded")
    assert result.frame_number >= 12
    assert {shown.flips for shown in run.shown[1:]} == {1}


def contrasts(run: Run) -> list[float | None]:
    """The parameter of each displayed trial, from the first frame of each."""
    trials = [one for one, _ in groupby(run.trials) if one is not None and one.cause < 0]
    return [one.parameters["contrast"] for one in trials]


def test_a_parameter_is_in_effect_with_the_first_frame_of_the_next_trial() -> None:
    run = played((4.5, action(0, "set_parameter", "contrast", value=0.25)))
    result = run.results[0]
    assert (result.result, result.frame_number) == ("applied", N + 2)
    assert contrasts(run) == [1.0, 0.25, 0.25, 0.25]
    assert run.kept == [{"contrast": 0.25}]


def test_a_parameter_for_a_trial_that_cannot_be_made_in_time_is_late_and_delays_no_flip() -> None:
    proceed = Event()

    def slow(number: int) -> Presentation[MovieFrame]:
        def frames(parameters: Mapping[str, float]) -> Iterator[MovieFrame]:
            assert not parameters or proceed.wait(60)
            return trial(number)(parameters)

        return frames

    def operator(player: Player) -> None:
        if player.display_log.displayed == N + 5:
            proceed.set()
            player.remote._movie._next_lane.head()

    command = action(0, "set_parameter", "contrast", value=0.25)
    movie = [slow(number) for number in range(4)]
    run = played((4.5, command), movie=movie, operator=operator, is_ready=False)
    assert contrasts(run) == [1.0, 1.0, 0.25, 0.25]
    assert (run.results[0].result, run.results[0].frame_number) == ("late", 2 * (N + 2))
    assert run.results[0].text == "1 trial after the next one"
    assert {shown.flips for shown in run.shown[1:]} == {1}


def test_of_two_values_for_one_trial_the_later_one_counts_and_the_earlier_is_replaced() -> None:
    run = played(
        (2.5, action(0, "set_parameter", "contrast", value=0.25)),
        (3.5, action(1, "set_parameter", "contrast", value=0.75)),
    )
    assert (run.results[0].result, run.results[0].frame_number) == ("replaced", -1)
    assert run.results[0].text == "action 1 took its place"
    assert run.kept[-1] == {"contrast": 0.75}
    assert contrasts(run) == [1.0, 0.75, 0.75, 0.75]


def test_pause_and_resume_are_answered_with_the_first_grey_frame_and_the_first_after_it() -> None:
    run = played((3.5, action(0, "pause")), (6.5, action(1, "resume")))
    assert run.clips[:3] == [("movie", 4), (GREY_CLIP, 3), ("movie", N - 4)]
    assert [run.results[n].frame_number for n in (0, 1)] == [4, 7]


def test_several_commands_share_a_flip() -> None:
    run = played(
        (3.4, action(0, "pause")),
        (3.5, action(1, "resume")),
        (3.6, action(2, "show_clip", "stripes")),
        (3.7, action(3, "show_clip", "leaves")),
    )
    assert [run.results[n].result for n in range(4)] == [
        "replaced", "applied", "replaced", "applied"
    ]  # fmt: skip
    assert run.results[1].frame_number == run.results[3].frame_number == 4
    assert run.clips[:3] == [("movie", 4), ("leaves", 6), ("movie", N)]


def test_a_clip_continues_after_a_pause() -> None:
    run = played(
        (3.5, action(0, "show_clip", "leaves")),
        (5.5, action(1, "pause")),
        (7.5, action(2, "resume")),
    )
    assert run.clips[:4] == [("movie", 4), ("leaves", 2), (GREY_CLIP, 2), ("leaves", 4)]


def test_a_block_that_waits_begins_on_command_and_a_clip_does_not_begin_it() -> None:
    movie = [trial(0, waits=True), trial(0)]
    run = played(
        (3.5, action(0, "show_clip", "stripes")),
        (11.5, action(1, "start_block")),
        (13.5, action(2, "start_block")),
        movie=movie,
    )
    assert run.clips == [("wait", 4), ("stripes", 4), ("wait", 4), ("movie", N), ("interval", 2)]
    assert run.results[1].frame_number == 12
    assert run.results[2].result == "refused"
    assert run.results[2].text == "start_block cannot be carried out now: no block waits"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (action(0, "dance"), "unknown command 'dance': expected one of show_clip, show_frames"),
        (action(0, "trigger", "ttl"), "unknown command 'trigger'"),
        (action(0, "show_clip", "cats"), "'cats'"),
        (action(0, "set_parameter", "colour", value=1.0), "colour"),
        (action(0, "set_parameter", "contrast", value=3.0), "contrast = 3.0"),
        (action(0, "show_frames"), r"frames must have the shape (frames, 3, 4)"),
        (action(0, "show_frames", frames=np.zeros((2, 4, 3), np.uint8)), "got shape (2, 4, 3)"),
        (action(0, "start_block"), "no block waits"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_name_and_the_movie_goes_on(
    command: ReceivedCommand, words: str
) -> None:
    run = played((3.5, command))
    assert (run.results[0].result, run.results[0].frame_number) == ("refused", -1)
    assert words in run.results[0].text
    assert run.clips == [("movie", N), ("interval", 2)] * 4


def test_nothing_is_displayed_during_a_pause_of_the_operator() -> None:
    def operator(player: Player) -> None:
        if player.display_log.displayed == 3:
            player.commands.apply(Command("stimulus", "pause", ""))
        if player.display_log.displayed == 9:
            player.commands.apply(Command("stimulus", "show", ""))

    run = played((5.5, action(0, "show_clip", "stripes")), operator=operator)
    assert run.clips[:3] == [("movie", 3), (GREY_CLIP, 6), ("movie", N - 3)]
    assert "the stimulus is paused; send resume first" in run.results[0].text


@pytest.mark.parametrize(
    "command",
    [
        action(0, "show_clip", "stripes", t_due_ns=flip_ns(9)),
        action(0, "set_parameter", "contrast", value=0.5),
    ],
)
def test_a_command_that_is_withdrawn_before_it_takes_effect_never_acts(
    command: ReceivedCommand,
) -> None:
    run = played((2.5, command), (4.5, withdrawn(command)))
    assert [one.result for one in run.results.values()] == ["withdrawn"]
    assert run.clips == [("movie", N), ("interval", 2)] * 4
    assert contrasts(run) == [1.0] * 4


def test_a_block_whose_start_is_withdrawn_waits_on_after_the_clip() -> None:
    start = action(1, "start_block")
    run = played(
        (3.5, action(0, "show_clip", "stripes")),
        (5.5, start),
        (6.5, withdrawn(start)),
        movie=[trial(0, waits=True), trial(0)],
        last=20,
    )
    assert run.results[1].result == "withdrawn"
    assert run.clips == [("wait", 4), ("stripes", 4), ("wait", 12)]


def test_what_waits_is_withdrawn_where_the_controller_is_silent() -> None:
    run = played(
        (2.5, action(0, "show_clip", "stripes", t_due_ns=flip_ns(8))),
        (2.5, action(1, "show_clip", "leaves")),
        (2.5, action(2, "set_parameter", "contrast", value=0.5)),
        lost_at=5.2,
    )
    assert [run.results[n].result for n in range(3)] == ["withdrawn", "applied", "withdrawn"]
    assert run.results[0].text == "the controller was silent"
    assert run.clips[:3] == [("movie", 3), ("leaves", 6), ("movie", N)]
    assert set(contrasts(run)) == {1.0}


def test_the_withdrawal_of_an_unknown_command_is_answered() -> None:
    assert played((2.5, withdrawn(action(0, "pause")))).results[0].result == "withdrawn"


def test_what_waits_at_the_end_is_refused() -> None:
    run = played(
        (2.5, action(0, "pause", t_due_ns=flip_ns(10**6))),
        (46.5, action(1, "set_parameter", "contrast", value=0.5)),
    )
    assert [run.results[n].text for n in (0, 1)] == [
        f"{name} cannot be carried out now: the stimulus has ended"
        for name in ("pause", "set_parameter")
    ]


COMMANDS = st.one_of(
    st.tuples(st.just("show_clip"), st.sampled_from(["stripes", "leaves", "cats"])),
    st.tuples(st.just("set_parameter"), st.sampled_from(["contrast", "colour"])),
    st.tuples(st.sampled_from(["pause", "resume", "start_block", "dance"]), st.just("")),
)


@given(
    named=st.lists(COMMANDS, max_size=20),
    at=st.lists(st.floats(0, 40), min_size=20, max_size=20),
    due=st.lists(st.none() | st.integers(0, 50), min_size=20, max_size=20),
    withdrawals=st.sets(st.integers(0, 19), max_size=4),
)
def test_every_command_has_one_result_whatever_comes(
    named: list[tuple[str, str]],
    at: list[float],
    due: list[int | None],
    withdrawals: set[int],
) -> None:
    script = list[tuple[float, ReceivedCommand]]()
    for number, ((name, target), t, frame) in enumerate(zip(named, sorted(at), due, strict=False)):
        t_due_ns = 0 if frame is None else flip_ns(frame)
        command = action(number, name, target, value=0.5, t_due_ns=t_due_ns)
        script.append((t, command))
        if number in withdrawals:
            script.append((t + 0.9, withdrawn(command)))
    run = played(*sorted(script, key=lambda one: one[0]), last=100)
    results = run.results
    assert sorted(results) == [*range(len(named))]
    for number, (name, _) in enumerate(named):
        shown = results[number].frame_number
        if name == "show_clip" and shown >= 0:
            assert (run.shown[shown].clip, run.shown[shown].index) == (named[number][1], 0)
        if name == "pause" and shown >= 0:
            assert run.shown[shown].clip == GREY_CLIP
        if name == "resume" and shown >= 0:
            assert run.shown[shown].clip != GREY_CLIP
