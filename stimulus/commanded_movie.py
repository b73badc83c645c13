"""The movie of a process with the commands to it: link, frames made ahead, clips in memory."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rtdecode.runtime.command_receiver import WINDOW, CommandReceiver
from rtdecode.runtime.process import Process
from rtdecode.runtime.progress import KeptMessages, kept_messages
from rtdecode.schema.interfaces import Sink
from rtdecode.schema.messages import Body
from stimulus.commands import StimulusCommands
from stimulus.playback import Commands, CommandState, NoCommands
from stimulus.playlist import MovieFrame
from stimulus.prefetch import FramePrefetcher
from stimulus.repertoire import Repertoire
from stimulus.resumption import KeptParameters
from stimulus.run_movie import RunMovie

_AHEAD_FRAMES = 60


@dataclass(frozen=True, slots=True)
class CommandedMovie:
    """Frames in order, and what changes them."""

    frames: FramePrefetcher[MovieFrame]
    state: CommandState
    commands: Commands
    _kept: tuple[KeptMessages, ...]

    def remove(self) -> None:
        """Remove what is kept for a restart, at a clean end of the process."""
        for kept in self._kept:
            kept.remove()


@contextmanager
def commanded(process: Process, movie: RunMovie, sink: Sink[Body]) -> Iterator[CommandedMovie]:
    """The movie while it is displayed; results of commands go to `sink`.

    Raises
    ------
    AddressInUseError
        If `network.commands` cannot be bound.
    """
    config, run_info = process.config, process.run_info
    results = kept_messages(config, run_info, file="stimulus.commands", slots=WINDOW)
    values = kept_messages(config, run_info, file="stimulus.parameters", slots=1)
    state, parameters = CommandState(process.stop), KeptParameters(values)
    with ExitStack() as stack:
        for kept in (results, values):
            stack.enter_context(kept)
        before = parameters.read()
        frames = stack.enter_context(
            FramePrefetcher(movie.presentations, ahead=_AHEAD_FRAMES, parameters=before)
        )
        if not config.network.commands:
            yield CommandedMovie(frames, state, NoCommands(), (results, values))
            return
        size_px = (config.stimulus.rows_px, config.stimulus.cols_px)
        repertoire = stack.enter_context(
            Repertoire(movie.clips.frames, movie.require_parameter, size_px=size_px)
        )
        if config.control is not None:
            repertoire.load(movie.clips.names)
        commands = StimulusCommands(
            CommandReceiver(
                process.messaging,
                clock=process.clock,
                endpoint=config.network.commands,
                kept=results,
                token=run_info.token,
            ),
            frames,
            repertoire,
            state=state,
            sink=sink,
            frame_rate_hz=config.frame_rate_hz,
            light_delay_ms=config.stimulus.light_delay_ms,
            parameters=before,
            keep=parameters.write,
        )
        yield CommandedMovie(frames, state, commands, (results, values))
