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
from rtdecode.runtime.sockets import Messaging
from rtdecode.runtime.subscriber import Subscriber
from rtdecode.schema.config.monitor import PatchCode, PatchConfig
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import NoDisplayError, PresenterMissingError
from rtdecode.schema.messages import DisplayedFrame, End
from stimulus.presenter import psychopy_window
from stimulus.sync_patch import SyncPatch, patch_grey
from stimulus.xvfb import VirtualDisplay

WINDOW = (640, 360)
PATCH = SyncPatch(PatchConfig(), WINDOW)
SECONDS = 3
BLOCK = 10
WHILE_NS = 8_000_000
UNDER_PATCH = np.zeros((36, 64), bool)
UNDER_PATCH[-4:, -4:] = True

Seen = tuple[NDArray[np.uint8], int]
Watch = tuple[list[Seen], list[DisplayedFrame]]


class Photodiode:
    """Reads an Xvfb's frame buffer, a file in XWD layout; shares no code with the stimulus."""

    def __init__(self, file: Path) -> None:
        raw = np.memmap(file, np.uint8, mode="r")
        header = raw[:100].view(">u4")
        start, stride = int(header[0] + 12 * header[19]), int(header[12])
        rows = raw[start:].reshape(-1, stride)[: WINDOW[1]]
        self._screen = rows[:, : 4 * WINDOW[0]].reshape(WINDOW[1], WINDOW[0], 4)[..., :3]

    def sample(self) -> Seen:
        """(36, 64, 3) levels in the middles of the blocks, and the grey level of the patch."""
        column, row = PATCH.probe_px
        middles = self._screen[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]
        return middles.copy(), int(self._screen[row, column, 0])


def watched(photodiode: Photodiode, inlet: Subscriber) -> Watch:
    """Pictures that stayed for a while, and the log, until the log's END.

    A sample may fall into the drawing of a picture; one that is unchanged later was complete.
    """
    clock, seen, displayed = HostClock(), list[Seen](), list[DisplayedFrame]()
    last, since_ns, is_kept = photodiode.sample(), clock.now_ns(), True
    while True:
        bodies = [received.message.body for received in inlet.take(0.003)]
        displayed += [body for body in bodies if isinstance(body, DisplayedFrame)]
        if any(isinstance(body, End) for body in bodies):
            return seen, displayed
        now = photodiode.sample()
        if (now[0] != last[0]).any():
            last, since_ns, is_kept = now, clock.now_ns(), False
        elif not is_kept and clock.now_ns() - since_ns > WHILE_NS:
            is_kept = True
            seen += [now] if np.ptp(now[0]) else []  # the window is grey before and gone after


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
    with VirtualDisplay(WINDOW, framebuffer=folder) as display, Messaging() as messaging:
        inlet = Subscriber(
            messaging, clock=HostClock(), endpoints=[endpoint], kinds=[DisplayedFrame], queue=1000
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "stimulus", str(config)],
            env={**os.environ, "DISPLAY": display.name},
        )
        try:
            yield watched(Photodiode(folder / "Xvfb_screen0"), inlet)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.system
def test_every_picture_on_the_screen_is_in_the_log_in_this_order(
    watch: Watch,
) -> None:
    seen, displayed = watch
    logged = np.stack([shown.luminance for shown in displayed])
    logged[:, UNDER_PATCH] = 0
    numbers: list[int] = []
    for colours, _ in seen:
        picture = np.where(UNDER_PATCH, 0, colours[..., 0])
        assert np.ptp(colours[~UNDER_PATCH], axis=-1).max() == 0
        # (frame, row): a busy machine may stop the drawing of a frame over the one before it
        of_frame = (logged == picture).all(2)
        of_frame[1:] |= of_frame[:-1].copy()
        fits = np.flatnonzero(of_frame.all(1))
        later = fits[fits >= (numbers[-1] if numbers else 0)]
        assert later.size, f"picture {len(numbers)} on the screen is not in the log"
        numbers.append(int(later[0]))
    # how many are seen depends on the machine
    assert len(set(numbers)) > 1


@pytest.mark.system
def test_the_sync_patch_changes_with_the_picture(
    watch: Watch,
) -> None:
    seen, displayed = watch
    logged = {shown.luminance[~UNDER_PATCH].tobytes(): shown.number for shown in displayed}
    whole = [
        (logged[shown], patch)
        for picture, patch in seen
        if (shown := picture[~UNDER_PATCH, 0].tobytes()) in logged
    ]
    assert all(patch == patch_grey(number, PatchCode.CODED) for number, patch in whole)
    assert {patch for _, patch in whole} == {0, 255}


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
from rtdecode.schema.config.monitor import PatchCode, PatchConfig
from rtdecode.schema.config.stimulus import StimulusConfig
from stimulus.presenter import psychopy_window
from stimulus.xvfb import VirtualDisplay
with VirtualDisplay((64, 36)) as virtual:
    config, name = StimulusConfig(screen={screen}), {display} or virtual.name
    with psychopy_window(config, display=name, virtual=True, clock=HostClock()):
        pass
"""
    displayed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    pattern = rf"{NoDisplayError.__name__}: no screen for the stimulus \(.*{words}\).*headless"
    assert displayed.returncode == 1
    assert re.search(pattern, displayed.stderr)
