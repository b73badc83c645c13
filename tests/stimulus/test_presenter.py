"""What a photodiode would see on a real window is what the log says was shown."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.sockets import Subscriber, Wire
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import NoDisplayError, PresenterMissingError
from rtdecode.schema.messages import End, ShownFrame
from stimulus.presenter import psychopy_window
from stimulus.sync_patch import SyncPatch, patch_grey
from stimulus.xvfb import VirtualDisplay

WINDOW = (640, 360)
PATCH = SyncPatch(40, WINDOW)
SECONDS = 3
BLOCK = 10
UNDER_PATCH = np.zeros((36, 64), bool)
UNDER_PATCH[-4:, -4:] = True

Seen = tuple[NDArray[np.uint8], int]
Watch = tuple[list[Seen], list[ShownFrame]]


class Photodiode:
    """Reads an Xvfb's frame buffer, a file in XWD layout; shares no code with the stimulus."""

    def __init__(self, file: Path) -> None:
        raw = np.memmap(file, np.uint8, mode="r")
        header = raw[:100].view(">u4")
        start, stride = int(header[0] + 12 * header[19]), int(header[12])
        rows = raw[start:].reshape(-1, stride)[: WINDOW[1]]
        self._screen = rows[:, : 4 * WINDOW[0]].reshape(WINDOW[1], WINDOW[0], 4)[..., :3]

    def look(self) -> Seen:
        """(36, 64) grey levels in the middles of the blocks, and that of the patch."""
        middles = self._screen[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
        assert np.ptp(middles[~UNDER_PATCH], axis=-1).max() == 0, "red, green and blue differ"
        column, row = PATCH.probe_px
        return middles[..., 0].copy(), int(self._screen[row, column, 0])


def watched(photodiode: Photodiode, inlet: Subscriber) -> Watch:
    """Pictures that stayed for two looks, and the log, until the log's END."""
    seen, told, last = list[Seen](), list[ShownFrame](), np.zeros((36, 64), np.uint8)
    while True:
        bodies = [received.message.body for received in inlet.take(0.003)]
        told += [body for body in bodies if isinstance(body, ShownFrame)]
        if any(isinstance(body, End) for body in bodies):
            return seen, told
        picture, patch = photodiode.look()
        is_new = not seen or (picture != seen[-1][0]).any()
        if is_new and (picture == last).all() and np.ptp(picture):
            seen.append((picture, patch))
        last = picture


@pytest.fixture(scope="module")
def watch(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("watch")
    config, endpoint = folder / "config.yaml", f"ipc://{folder}/stimulus"
    clips = "{embedded_clips: 2, clip_s: 2}"
    config.write_text(
        f"seconds: {SECONDS}\nnetwork: {{stimulus: '{endpoint}'}}\nstimulus: {clips}\n"
    )
    with VirtualDisplay(WINDOW, framebuffer=folder) as display, Wire() as wire:
        inlet = Subscriber(
            wire, clock=HostClock(), endpoints=[endpoint], kinds=[ShownFrame], queue=1000
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "stimulus", str(config)],
            env={**os.environ, "DISPLAY": display.name},
        )
        try:
            yield watched(Photodiode(folder / "Xvfb_screen0"), inlet)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.system
def test_every_picture_on_the_screen_is_in_the_log_in_this_order(
    watch: Watch,
) -> None:
    seen, told = watch
    logged = np.stack([shown.luminance for shown in told])[:, ~UNDER_PATCH]
    numbers: list[int] = []
    for picture, _ in seen:
        fits = np.flatnonzero((logged == picture[~UNDER_PATCH]).all(1))
        later = fits[fits > (numbers[-1] if numbers else -1)]
        assert later.size, f"picture {len(numbers)} on the screen is not in the log"
        numbers.append(int(later[0]))
    # a reader on a busy machine may miss some; the screen shows each for 33 ms
    assert len(numbers) > len(told) / 2


@pytest.mark.system
def test_the_sync_patch_changes_with_the_picture(
    watch: Watch,
) -> None:
    seen, told = watch
    first = SECONDS * 30 - len(told)  # the log's first frames may come before we listen
    logged = {shown.luminance[~UNDER_PATCH].tobytes(): n for n, shown in enumerate(told, first)}
    for picture, patch in seen:
        assert patch == patch_grey(logged[picture[~UNDER_PATCH].tobytes()])
    assert {patch for _, patch in seen} == {0, 255}


def test_without_psychopy_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyglet", None)
    before = dict(os.environ)
    window = psychopy_window(StimulusConfig(), display=":0", virtual=True, clock=HostClock())
    with pytest.raises(PresenterMissingError, match="psychopy is not installed"), window:
        pass
    assert dict(os.environ) == before


@pytest.mark.system
@pytest.mark.parametrize(
    ("display", "screen", "words"),
    [("':9876'", 0, "DISPLAY=:9876 cannot be opened"), ("None", 5, "5, but :[0-9]+ has 1, from 0")],
)
def test_a_window_that_cannot_be_opened_is_named(display: str, screen: int, words: str) -> None:
    # in a process of its own, because pyglet remembers the first display that it was given
    script = f"""
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.stimulus import StimulusConfig
from stimulus.presenter import psychopy_window
from stimulus.xvfb import VirtualDisplay
with VirtualDisplay((64, 36)) as virtual:
    config, name = StimulusConfig(screen={screen}), {display} or virtual.name
    with psychopy_window(config, display=name, virtual=True, clock=HostClock()):
        pass
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    pattern = rf"{NoDisplayError.__name__}: no screen for the stimulus \(.*{words}\).*headless"
    assert told.returncode == 1
    assert re.search(pattern, told.stderr)
