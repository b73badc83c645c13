"""Duration of drawing and flipping a movie frame in a window, with `stimulus` and with PsychoPy.

    .venv/bin/python benchmarks/stimulus_timing.py --frames 1500

Opens four windows on one virtual display: frames drawn from one texture as `stimulus` does, without
and with spherical warp, and PsychoPy's ImageStim and Rect, without warp and with its Warper. In
each turn every window displays the next frame, so that all are measured in the same seconds, with
the real-time priority of the stimulus. Prints a line for each and writes
`benchmarks/results/stimulus_timing.json`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.stimulus import StimulusConfig
from stimulus.presenter import psychopy_window
from stimulus.priority import Priority, request_real_time
from stimulus.xvfb import VirtualDisplay

RESULTS = Path(__file__).parent / "results" / "stimulus_timing.json"
MONITOR = {"distance_cm": 15.0, "width_cm": 50.0}
WINDOW = (640, 360)
WARM_UP = 30
Draw = Callable[[NDArray[np.uint8], int], None]


class ImageStimWindow:
    """A window as `stimulus` drew it before: a converted image and a rectangle."""

    def __init__(self, *, warp: str | None) -> None:
        from psychopy import monitors, visual
        from psychopy.visual.windowwarp import Warper
        from pyglet import gl

        monitor = monitors.Monitor("bench", width=MONITOR["width_cm"])
        monitor.setDistance(MONITOR["distance_cm"])
        monitor.setSizePix(WINDOW)
        self.window = visual.Window(
            WINDOW,
            monitor=monitor,
            units="pix",
            color=0,
            allowGUI=False,
            checkTiming=False,
            useFBO=warp is not None,
            autoLog=False,
        )
        self.window.depthTest = False
        if warp is not None:
            self._warper = Warper(self.window, warp=warp)
        self._finish = gl.glFinish
        self._picture = visual.ImageStim(
            self.window, size=WINDOW, units="pix", interpolate=False, autoLog=False
        )
        self._square = visual.Rect(
            self.window, width=40, height=40, pos=(300, -160), lineColor=None, autoLog=False
        )

    def draw(self, luminance: NDArray[np.uint8], patch: int) -> None:
        """Draw one frame and the patch."""
        picture = luminance[::-1].astype(np.float32) / 127.5 - 1
        self._picture.setImage(picture, log=False)
        self._picture.draw()
        self._square.fillColor = patch / 127.5 - 1
        self._square.draw()
        self._finish()


@contextmanager
def windows(display: str) -> Iterator[dict[str, tuple[Any, Draw]]]:
    """PsychoPy's window and the function that draws, by name of what draws."""
    clock, opened = HostClock(), dict[str, tuple[Any, Draw]]()
    with ExitStack() as stack:
        for name, monitor in (
            ("texture", None),
            ("texture, spherical warp", MONITOR | {"warp": "spherical"}),
        ):
            config = StimulusConfig.model_validate({"monitor": monitor})
            window = psychopy_window(config, display=display, virtual=True, clock=clock)
            screen = stack.enter_context(window)
            opened[name] = (
                screen._window,  # noqa: SLF001 - the same window for both ways of drawing
                lambda luminance, patch, screen=screen: screen.draw(luminance, patch=patch),
            )
        for name, warp in (("ImageStim", None), ("ImageStim, Warper", "spherical")):
            before = ImageStimWindow(warp=warp)
            stack.callback(before.window.close)
            opened[name] = (before.window, before.draw)
        yield opened


def measured(frames: int) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each step, in ms, by name."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (frames + WARM_UP, 36, 64), np.uint8)
    with VirtualDisplay(WINDOW) as display, windows(display.name) as opened:
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in opened}
        for number, picture in enumerate(pictures):
            for name, (window, draw) in opened.items():
                window.backend.setCurrent()
                begun = time.perf_counter()
                draw(picture, 255 * (number % 2))
                drawn = time.perf_counter()
                window.flip()
                times[name].append((drawn - begun, time.perf_counter() - drawn))
    return {name: figures(np.array(both[WARM_UP:]) * 1e3) for name, both in times.items()}


def figures(ms: NDArray[np.float64]) -> dict[str, float]:
    """Of (frame, 2) durations of drawing and of the flip."""
    rounded = {
        f"{step}_ms_{name}": round(float(np.percentile(ms[:, place], percent)), 3)
        for place, step in enumerate(("draw", "flip"))
        for name, percent in (("p50", 50), ("p99", 99))
    }
    return rounded


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--json", type=Path, default=RESULTS)
    asked = parser.parse_args()
    request_real_time(Priority.FRAME_LOOP)
    psutil.cpu_percent()
    results = measured(asked.frames)
    busy = psutil.cpu_percent()
    for name, row in results.items():
        print(f"{name:24}" + "".join(f"{key} {value:8.3f}  " for key, value in row.items()))
    config = {"frames": asked.frames, "window_px": WINDOW, "cpu_busy_percent": busy}
    write_benchmark(asked.json, name="stimulus_timing", config=config, results=results)


if __name__ == "__main__":
    main()
