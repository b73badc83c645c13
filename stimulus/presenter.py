"""The PsychoPy window in which playback draws; the only module that imports PsychoPy.

Duties: open a window on the requested display, measure its refresh rate, draw one picture and the
patch for the photodiode, and flip. The module does not depend on clips, on the timing of flips, or
on messages. PsychoPy is licensed under the GPL and is therefore imported inside functions of this
process alone.

    with psychopy_window(config, display=":0", virtual=False, clock=clock) as screen:
        screen.draw(luminance, patch=255)
        t_flip_ns = screen.flip()
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.runtime.platform import needs_display_server
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import NoDisplayError, PresenterMissingError
from rtdecode.schema.gamma import inverse_gamma
from rtdecode.schema.interfaces import Clock
from stimulus.pacing import refresh_rate
from stimulus.sync_patch import SyncPatch
from stimulus.warp import mesh
from stimulus.window_drawing import WindowDrawing

_MEASURED_FLIPS = 60
_GREY = 128
"""Grey level of the movie around its picture."""
_QUIT_KEYS = ("escape", "q")


@contextmanager
def psychopy_window(
    config: StimulusConfig, *, display: str, virtual: bool, clock: Clock
) -> Iterator["PsychoPyScreen"]:
    """A window on `display`, open while the context lasts.

    PsychoPy reads DISPLAY and writes its preferences to HOME when it is imported, so both are
    set before: HOME to a private folder, which no two instances share.

    Parameters
    ----------
    virtual
        True where the display has no monitor: flips do not wait, and no rate is measured.

    Raises
    ------
    PresenterMissingError
        If PsychoPy is not installed.
    NoDisplayError
        If the window cannot be opened.
    RefreshRateError
        If the monitor does not refresh at the configured rate.
    MissingFileError, UnreadableFileError
        If the table of `stimulus.monitor.gamma` cannot be used.
    """
    with _private_home(display):
        visual, _connection = _imported_visual(display, config.screen)
        screen = PsychoPyScreen(_opened(visual, config), config, clock=clock)
        try:
            if not virtual:
                screen.measure(config.refresh_hz)
            yield screen
        finally:
            screen.close()


@contextmanager
def _private_home(display: str) -> Iterator[None]:
    before = dict(os.environ)
    # Windows does not remove files that psychopy has still open, and has APPDATA for HOME
    with TemporaryDirectory(prefix="rtdecode-psychopy-", ignore_cleanup_errors=True) as home:
        # without the last one, psychopy rewrites PATH and PYTHONPATH of this process
        os.environ.update(DISPLAY=display, HOME=home, APPDATA=home, PSYCHOPYNOPACKAGES="1")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _imported_visual(display: str, screen: int) -> tuple[Any, Any]:
    """The module psychopy.visual, and the connection to the display, which must stay open."""
    try:
        connection = _connected(display, screen)
        from psychopy import logging as psychopy_logging

        psychopy_logging.console.setLevel(psychopy_logging.ERROR)
        from psychopy import visual
    except ModuleNotFoundError as error:
        raise PresenterMissingError from error
    except ImportError as error:
        raise NoDisplayError(got=str(error)) from error
    return visual, connection


def _connected(display: str, screen: int) -> Any:
    import pyglet

    pyglet.options["shadow_window"] = False  # with it, the next import fails without a display
    connection = _opened_display(display)
    found = len(connection.get_screens())
    if screen >= found:
        raise NoDisplayError(got=f"stimulus.screen: {screen}, but {display} has {found}, from 0")
    return connection


def _opened_display(display: str) -> Any:
    from pyglet.canvas import Display

    if not needs_display_server():
        return Display()
    from pyglet.canvas.xlib import NoSuchDisplayException

    try:
        return Display()
    except NoSuchDisplayException as error:
        raise NoDisplayError(got=f"DISPLAY={display} cannot be opened") from error


def _opened(visual: Any, config: StimulusConfig) -> Any:
    return visual.Window(
        config.window_px,
        pos=None if config.fullscreen else (0, 0),
        screen=config.screen,
        fullscr=config.fullscreen,
        units="pix",
        # PsychoPy counts grey from -1 to 1
        color=float(_inverse_gamma(config)[_GREY]) / 127.5 - 1,
        allowGUI=False,
        checkTiming=False,
        waitBlanking=True,
        autoLog=False,
    )


class PsychoPyScreen:
    """A PsychoPy window; each movie pixel is a square block, as large as fits, not smoothed."""

    def __init__(self, window: Any, config: StimulusConfig, *, clock: Clock) -> None:
        from pyglet import gl

        self._window, self._clock, self._finish = window, clock, gl.glFinish
        self._refresh_hz: float | None = None
        self.size_px = (int(window.size[0]), int(window.size[1]))
        shape = (config.rows_px, config.cols_px)
        block = min(self.size_px[0] / config.cols_px, self.size_px[1] / config.rows_px)
        picture_px = (block * config.cols_px, block * config.rows_px)
        lookup = _inverse_gamma(config)
        self._drawing = WindowDrawing(
            gl,
            shape=shape,
            lookup=lookup,
            mesh=mesh(config.monitor, window_px=self.size_px, picture_px=picture_px),
            patch=SyncPatch(config.patch, self.size_px),
            background=int(lookup[_GREY]),
        )

    @property
    def refresh_hz(self) -> float | None:
        return self._refresh_hz

    def measure(self, configured_hz: float | None) -> None:
        """Measure the refresh rate over 60 flips.

        Raises
        ------
        RefreshRateError
            If it is not `configured_hz`.
        """
        flips = [self.flip() for _ in range(_MEASURED_FLIPS)]
        self._refresh_hz = refresh_rate(flips, configured_hz=configured_hz)

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        self._drawing.draw(luminance, patch=patch)
        # software rendering takes milliseconds, which would otherwise delay the flip
        self._finish()

    def flip(self) -> int:
        self._window.flip()
        return self._clock.now_ns()

    def is_quit(self) -> bool:
        from psychopy import event

        return bool(event.getKeys(_QUIT_KEYS))

    def close(self) -> None:
        self._window.close()


def _inverse_gamma(config: StimulusConfig) -> NDArray[np.uint8]:
    return inverse_gamma(None if config.monitor is None else config.monitor.gamma)
