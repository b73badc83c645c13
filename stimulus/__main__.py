"""`python -m stimulus CONFIG`: the process that shows the stimulus to the animal."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice

from rtdecode.runtime.entry import run_process
from rtdecode.runtime.platform import needs_display_server
from rtdecode.runtime.process import Process
from rtdecode.runtime.progress import kept_progress
from rtdecode.schema.config.stimulus import Display, Presenter, StimulusConfig
from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.interfaces import Clock, Sink
from rtdecode.schema.messages import Body
from stimulus.commanded_movie import CommandedMovie, commanded
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import GREY_CLIP, Player
from stimulus.playlist import MovieFrame
from stimulus.presenter import psychopy_window
from stimulus.priority import Priority, request_real_time
from stimulus.protocol.trial_log import TrialLog
from stimulus.resumption import NAMES, Resumption
from stimulus.run_movie import run_movie
from stimulus.screen import HeadlessScreen, Screen
from stimulus.sync_patch import patch_grey
from stimulus.xvfb import VirtualDisplay

log = logging.getLogger(__name__)
_ANY_PORT = "tcp://127.0.0.1:*"


def main(process: Process) -> int:
    """Show the movie until it ends or a stop is requested; exit code 0."""
    config = process.config.stimulus
    publisher = process.publisher(process.config.network.stimulus or _ANY_PORT)
    progress = kept_progress(
        process.config, process.run_info, file=f"{process.name}.progress", names=NAMES
    )
    resumption = Resumption(progress, progress.read() if process.run_info.restarts else None)
    movie = run_movie(process.config, first=resumption.first_clip)
    request_real_time(Priority.FRAME_LOOP)
    with (
        opened_screen(config, process.clock) as screen,
        progress,
        commanded(process, movie, publisher) as show,
    ):
        show.state.paused = resumption.starts_paused
        trials = TrialLog(
            light_delay_ms=config.light_delay_ms,
            frame_rate_hz=process.config.frame_rate_hz,
            pause_clip=GREY_CLIP,
        )
        player = _player(config, screen, process, publisher, resumption, trials=trials, show=show)
        process.wait_for_start()
        # importing PsychoPy leaves some 300,000 objects; a full collection would delay a flip
        gc.freeze()
        publisher.start(process.run_info.start())
        reason = "failed"
        try:
            frames = _limited(show.frames, process)
            reason = player.play(frames, between_frames=lambda: _between_frames(process, player))
        finally:
            for event in player.display_log.unreported():
                publisher.push(event)
            if (trial := trials.ended()) is not None:
                publisher.push(trial)
            show.commands.end()
            publisher.end(session=process.run_info.session, reason=reason)
            log.info("%s: %s", reason, player.display_log.counters())
    if not process.may_continue:
        progress.remove()
        show.remove()
    return 0


def _limited(frames: Iterator[MovieFrame], process: Process) -> Iterator[MovieFrame]:
    """All `frames` under a supervisor, which limits the duration itself; else `seconds` of them."""
    config = process.config
    if config.network.control or config.seconds is None:
        return frames
    return islice(frames, round(config.seconds * config.frame_rate_hz))


@contextmanager
def opened_screen(config: StimulusConfig, clock: Clock) -> Iterator[Screen]:
    """The screen that `config` describes, open while the context lasts.

    Raises
    ------
    NoDisplayError, PresenterMissingError, RefreshRateError
        As `stimulus.presenter.psychopy_window` and `stimulus.xvfb.VirtualDisplay` raise them.
    """
    with ExitStack() as stack:
        if config.presenter is Presenter.HEADLESS:
            yield HeadlessScreen(clock, refresh_hz=config.refresh_hz)
            return
        display = os.environ.get("DISPLAY", "") if config.display is Display.AUTO else ""
        virtual = config.display is Display.VIRTUAL or (needs_display_server() and not display)
        if virtual:
            display = stack.enter_context(VirtualDisplay(config.window_px)).name
        window = psychopy_window(config, display=display, virtual=virtual, clock=clock)
        yield stack.enter_context(window)


def _player(
    config: StimulusConfig,
    screen: Screen,
    process: Process,
    sink: Sink[Body],
    resumption: Resumption,
    *,
    trials: TrialLog,
    show: CommandedMovie,
) -> Player:
    rate_hz = process.config.frame_rate_hz
    pacing = pacing_for(screen, clock=process.clock, frame_rate_hz=rate_hz)
    display_log = DisplayLog(light_delay_ms=config.light_delay_ms, refresh_hz=pacing.refresh_hz)
    log.info("flips %s, in %s", type(pacing).__name__, type(screen).__name__)

    def on_flip(number: int, frame: MovieFrame, t_flip_ns: int) -> None:
        resumption.keep(number, frame, t_flip_ns, show.state)
        if (event := resumption.event(t_flip_ns)) is not None:
            sink.push(event)
        if (trial := trials.flipped(frame, t_flip_ns)) is not None:
            sink.push(trial)

    return Player(
        screen,
        pacing,
        display_log,
        sink,
        show.state,
        first_frame=resumption.first_frame,
        first_place=resumption.first_clip,
        on_flip=on_flip,
        remote=show.commands,
        patch_grey=partial(patch_grey, code=config.patch.code),
    )


def _between_frames(process: Process, player: Player) -> None:
    for command in process.commands():
        try:
            player.commands.apply(command)
        except UnknownCommandError as error:
            # a mistyped command must not end an experiment
            log.warning("%s", error)
    process.send_heartbeat(player.display_log.counters())


if __name__ == "__main__":
    raise SystemExit(run_process("stimulus", main, sys.argv[1:]))
