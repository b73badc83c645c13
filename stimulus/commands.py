"""Commands of a controller to the stimulus: what each does, at which flip, and its one result.

Duties: hold each command until the flip for which it is meant, change the movie, give the frames of
a clip that a command displays, and answer each command once, with the flip of the first frame that
shows its effect. It has neither a screen nor a clock.

A command acts on one thing: the clip, a parameter, the pause, the block that waits. A later one for
the same thing replaces it where its effect was not displayed yet. Frames are in memory: a command
for a clip that is being decoded waits, and the movie goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtdecode.runtime.command_receiver import WINDOW, CommandReceiver, ReceivedCommand
from rtdecode.schema.control import Acknowledgement, ActionName, Result
from rtdecode.schema.errors import NotNowError, RtdecodeError
from rtdecode.schema.interfaces import Sink
from rtdecode.schema.messages import Body, DisplayedFrame
from stimulus.playback import CommandState
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.prefetch import FramePrefetcher
from stimulus.repertoire import CommandedClip, Frames, Repertoire

_CLIP = "clip"


@dataclass(frozen=True, slots=True)
class _Started:
    """A command that was carried out, whose first frame was not displayed yet."""

    command: ReceivedCommand
    is_in: Callable[[MovieFrame], bool]
    """Whether a frame shows its effect."""
    trials_before: int
    """Trials that had begun when it was carried out."""


class StimulusCommands:
    """The commands to one run of the stimulus.

    Parameters
    ----------
    state
        Pause and waiting blocks, which the operator's commands change too.
    sink
        Takes each result once, for the log.
    frame_rate_hz, light_delay_ms
        Frame rate of the movie; delay from flip to light, which `displayed_frame` includes.
    parameters
        Parameters of the protocol that were in effect before a restart.
    keep
        Called with the parameters that are in effect, whenever they change.
    """

    def __init__(
        self,
        link: CommandReceiver,
        movie: FramePrefetcher[MovieFrame],
        repertoire: Repertoire,
        *,
        state: CommandState,
        sink: Sink[Body],
        frame_rate_hz: float,
        light_delay_ms: float = 0.0,
        parameters: Mapping[str, float] | None = None,
        keep: Callable[[Mapping[str, float]], None] = lambda _parameters: None,
    ) -> None:
        self._link, self._movie, self._repertoire = link, movie, repertoire
        self._state, self._sink, self._keep = state, sink, keep
        self._tolerance_ns = round(0.5e9 / frame_rate_hz)
        self._light_delay_ns = round(light_delay_ms * 1e6)
        self._parameters = dict(parameters or {})
        self._pending: dict[int, ReceivedCommand] = {}
        self._started: dict[str, _Started] = {}
        """By what they act on."""
        self._in_frame: list[ReceivedCommand] = []
        """Those whose effect the next flip displays."""
        self._notes: dict[int, str] = {}
        """Why a command was late, by its number on the link."""
        self._clip: CommandedClip | None = None
        self._trial: DisplayedTrial | None = None
        self._n_trials = 0

    @property
    def has_sender(self) -> bool:
        """Whether a controller has sent anything, so that it is worth waiting for commands."""
        return self._link.has_sender

    def receive(self, wait_s: float) -> None:
        """Take what has arrived, waiting `wait_s` at most; wrong commands are refused at once.

        What waits is withdrawn where its controller has sent nothing for 2 s, as after its failure.
        """
        for command in self._link.take(wait_s):
            if command.is_withdrawal:
                self._withdraw(command)
            elif len(self._pending) >= WINDOW:
                error = NotNowError(name=command.action.name, got=f"{WINDOW} commands wait already")
                self._answer(command, Result.REFUSED, text=str(error))
            elif (mistake := self._repertoire.mistake(command.action)) is not None:
                self._answer(command, Result.REFUSED, text=mistake)
            else:
                self._pending[command.seq] = command
        # after a stall of the stimulus itself, what its controller sent meanwhile has been taken
        if self._link.has_lost_sender():
            for command in self._waiting():
                self._withdraw(command, text="the controller was silent")

    def apply(self, t_flip_ns: int) -> None:
        """Carry out the commands for the frame that is flipped at `t_flip_ns` (HostNs)."""
        latest_due_ns = t_flip_ns + self._light_delay_ns + self._tolerance_ns
        for command in [*self._pending.values()]:
            if command.action.t_due_ns <= latest_due_ns and command.seq in self._pending:
                self._carry_out(command)

    def frame(self, place: int) -> MovieFrame | None:
        """The next frame of a clip that a command displays; None where the movie goes on.

        `place` is that of the last frame of the movie.
        """
        frame = None if self._clip is None else self._clip.following(place)
        if frame is None:
            self._clip = None
        return frame

    def chosen(self, frame: MovieFrame) -> None:
        """Note which commands `frame` shows the effect of, before it is flipped."""
        if frame.of_trial is not None and frame.of_trial is not self._trial:
            self._trial = frame.of_trial
            self._n_trials += frame.of_trial.cause < 0
        for key, started in [*self._started.items()]:
            if started.is_in(frame):
                del self._started[key]
                self._in_frame.append(started.command)
                if started.command.action.name == ActionName.SET_PARAMETER:
                    self._in_effect(started)

    def flipped(self, displayed: DisplayedFrame, number: int) -> None:
        """Answer the commands whose effect the frame `number` shows, which was just flipped."""
        in_frame, self._in_frame = self._in_frame, []
        for command in sorted(in_frame, key=lambda one: one.seq):
            note = self._notes.pop(command.seq, "") or self._lateness(command, displayed)
            result = Result.LATE if note else Result.APPLIED
            flip = (displayed.t_flip_ns, number)
            self._answer(command, result, text=note, flip=flip)

    def end(self) -> None:
        """Refuse what waits, at the end of the run."""
        for command in self._waiting():
            error = NotNowError(name=command.action.name, got="the stimulus has ended")
            self._answer(command, Result.REFUSED, text=str(error))
        self._pending.clear()
        self._started.clear()

    def _waiting(self) -> list[ReceivedCommand]:
        return [*self._pending.values(), *(one.command for one in self._started.values())]

    def _carry_out(self, command: ReceivedCommand) -> None:
        act = {
            ActionName.SHOW_CLIP: self._show_clip,
            ActionName.SHOW_FRAMES: lambda one: self._show(one, one.action.frames),
            ActionName.SET_PARAMETER: self._set_parameter,
            ActionName.START_BLOCK: self._start_block,
            ActionName.PAUSE: self._pause,
            ActionName.RESUME: self._resume,
        }
        try:
            act[ActionName(command.action.name)](command)
        except RtdecodeError as error:
            self._pending.pop(command.seq, None)
            self._answer(command, Result.REFUSED, text=str(error))

    def _show_clip(self, command: ReceivedCommand) -> None:
        frames = self._repertoire.clip(command.action.target)
        if frames is None:
            self._notes[command.seq] = "the clip was being decoded"
        else:
            self._show(command, frames)

    def _show(self, command: ReceivedCommand, frames: Frames) -> None:
        self._require_unpaused(command)
        action = command.action
        trial = DisplayedTrial(-1, "commands", action.target, cause=action.number)
        self._start(command, _CLIP, lambda frame: frame.of_trial is trial)
        self._clip = CommandedClip(frames, trial)
        # a block that waits goes on waiting after the clip
        if not self._state.waits:
            self._movie.skip()

    def _set_parameter(self, command: ReceivedCommand) -> None:
        name, value = command.action.target, command.action.value
        version = self._movie.change(self._coming_parameters() | {name: value})

        def is_in(frame: MovieFrame) -> bool:
            return self._movie.version >= version and frame.is_of_protocol

        self._start(command, f"parameter {name}", is_in)

    def _start_block(self, command: ReceivedCommand) -> None:
        self._require_unpaused(command)
        if not self._state.waits:
            raise NotNowError(name=command.action.name, got="no block waits")
        self._state.waits = False
        self._start(command, "block", lambda frame: frame.is_of_protocol)

    def _pause(self, command: ReceivedCommand) -> None:
        self._state.paused = True
        self._start(command, "pause", lambda _frame: self._state.paused)

    def _resume(self, command: ReceivedCommand) -> None:
        self._state.paused = False
        self._start(command, "pause", lambda _frame: not self._state.paused)

    def _require_unpaused(self, command: ReceivedCommand) -> None:
        if self._state.paused:
            got = "the stimulus is paused; send resume first"
            raise NotNowError(name=command.action.name, got=got)

    def _start(
        self, command: ReceivedCommand, key: str, is_in: Callable[[MovieFrame], bool]
    ) -> None:
        """Note that `command` was carried out; it replaces what acts on the same thing."""
        earlier = [self._started.pop(key).command] if key in self._started else []
        if key == _CLIP:
            # those before it that are being decoded
            earlier += [self._pending[seq] for seq in self._notes if seq in self._pending]
        for one in earlier:
            if one is not command:
                self._pending.pop(one.seq, None)
                text = f"action {command.action.number} took its place"
                self._answer(one, Result.REPLACED, text=text)
        self._started[key] = _Started(command, is_in, self._n_trials)
        self._pending.pop(command.seq, None)

    def _in_effect(self, started: _Started) -> None:
        action = started.command.action
        self._parameters[action.target] = action.value
        self._keep(self._parameters)
        if (later := self._n_trials - started.trials_before - 1) > 0:
            trials = "1 trial" if later == 1 else f"{later} trials"
            self._notes[started.command.seq] = f"{trials} after the next one"

    def _coming_parameters(self) -> dict[str, float]:
        """Parameters that are in effect or will be with the next trial."""
        actions = [one.command.action for one in self._started.values()]
        changed = [one for one in actions if one.name == ActionName.SET_PARAMETER]
        return self._parameters | {one.target: one.value for one in changed}

    def _withdraw(self, withdrawal: ReceivedCommand, *, text: str = "") -> None:
        """Drop what was not displayed of a command, and answer that it was withdrawn."""
        self._pending.pop(withdrawal.seq, None)
        for key, started in [*self._started.items()]:
            if started.command.seq == withdrawal.seq:
                del self._started[key]
                if key == _CLIP:
                    self._clip = None
                elif started.command.action.name == ActionName.SET_PARAMETER:
                    self._movie.change(self._coming_parameters())
                elif started.command.action.name == ActionName.START_BLOCK:
                    # the block would begin after the clip that is displayed meanwhile
                    self._state.waits = True
        self._answer(withdrawal, Result.WITHDRAWN, text=text)

    def _lateness(self, command: ReceivedCommand, displayed: DisplayedFrame) -> str:
        """How late a command was, in words; empty where it was not."""
        due_ns = command.action.t_due_ns
        late_ns = displayed.t_flip_ns - due_ns if due_ns else 0
        is_trial = command.action.name == ActionName.SET_PARAMETER
        if late_ns <= self._tolerance_ns or (is_trial and command.t_received_ns <= due_ns):
            return ""
        return f"{late_ns / 1e6:.1f} ms after the flip for which it was meant"

    def _answer(
        self,
        command: ReceivedCommand,
        result: Result,
        *,
        text: str = "",
        flip: tuple[int, int] = (0, -1),
    ) -> None:
        self._notes.pop(command.seq, None)
        acknowledgement = Acknowledgement(
            number=command.action.number,
            result=result.value,
            name=command.action.name,
            target=command.action.target,
            t_received_ns=command.t_received_ns,
            t_flip_ns=flip[0],
            frame_number=flip[1],
            text=text,
        )
        # kept before it is recorded: a command must not act again after a kill between the two
        self._link.answer(command.seq, acknowledgement)
        self._sink.push(acknowledgement)
