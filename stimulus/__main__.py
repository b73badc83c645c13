"""`python -m stimulus CONFIG`: the animal's screen as a process of its own."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice

from rtdecode.runtime.process import Process, run_process
from rtdecode.schema.config.stimulus import Display, Presenter, StimulusConfig
from rtdecode.schema.errors import UnknownCommandError
from rtdecode.schema.interfaces import Clock, Sink
from rtdecode.schema.messages import Body
from stimulus.display_log import DisplayLog
from stimulus.pacing import pacing_for
from stimulus.playback import Orders, Player
from stimulus.playlist import MovieFrame, programme
from stimulus.prefetch import FramePrefetcher
from stimulus.presenter import psychopy_window
from stimulus.priority import Priority, take_real_time
from stimulus.screen import HeadlessScreen, Screen
from stimulus.xvfb import VirtualDisplay

log = logging.getLogger(__name__)
_AHEAD_FRAMES = 60
_ANY_PORT = "tcp://127.0.0.1:*"


def main(process: Process) -> int:
    """Show the movie until told to stop."""
    config = process.config.stimulus
    outlet = process.publisher(process.config.network.stimulus or _ANY_PORT)
    frames = _limited(programme(config), process)
    take_real_time(Priority.FRAME_LOOP)
    with (
        opened_screen(config, process.clock) as screen,
        FramePrefetcher(frames, ahead=_AHEAD_FRAMES) as reel,
    ):
        player = _player(config, screen, process, outlet)
        process.wait_for_start()
        # psychopy leaves some 300,000 objects; collecting them would cost a frame now and then
        gc.freeze()
        outlet.start(process.run_info.start())
        reason = "failed"
        try:
            reason = player.play(reel, each_frame=lambda: _turn(process, player))
        finally:
            outlet.end(session=process.run_info.session, reason=reason)
            log.info("%s: %s", reason, player.truth.counters())
    return 0


def _limited(frames: Iterator[MovieFrame], process: Process) -> Iterator[MovieFrame]:
    """All `frames` under a supervisor, which counts the seconds itself; else `seconds` of them."""
    config = process.config
    if config.network.control or config.seconds is None:
        return frames
    return islice(frames, round(config.seconds * config.stimulus.frame_rate_hz))


@contextmanager
def opened_screen(config: StimulusConfig, clock: Clock) -> Iterator[Screen]:
    """The screen that `config` asks for, while the context lasts.

    Raises NoDisplayError, PresenterMissingError, RefreshRateError.
    """
    with ExitStack() as stack:
        if config.presenter is Presenter.HEADLESS:
            yield HeadlessScreen(clock, refresh_hz=config.refresh_hz)
            return
        display = os.environ.get("DISPLAY", "") if config.display is Display.AUTO else ""
        virtual = not display
        if virtual:
            display = stack.enter_context(VirtualDisplay(config.window_px)).name
        window = psychopy_window(config, display=display, virtual=virtual, clock=clock)
        yield stack.enter_context(window)


def _player(config: StimulusConfig, screen: Screen, process: Process, outlet: Sink[Body]) -> Player:
    pacing = pacing_for(screen, clock=process.clock, frame_rate_hz=config.frame_rate_hz)
    truth = DisplayLog(light_delay_ms=config.light_delay_ms, refresh_hz=pacing.refresh_hz)
    log.info("flips %s, in %s", type(pacing).__name__, type(screen).__name__)
    return Player(screen, pacing, truth, outlet, Orders(process.stop))


def _turn(process: Process, player: Player) -> None:
    for command in process.commands():
        try:
            player.orders.obey(command)
        except UnknownCommandError as error:
            # somebody else's mistake must not end an experiment
            log.warning("%s", error)
    process.send_heartbeat(player.truth.counters())


if __name__ == "__main__":
    raise SystemExit(run_process("stimulus", main, sys.argv[1:]))
