"""The pixels of a real window are those of the movie: block by block, warped, with gamma."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from rtdecode.schema.gamma import inverse_gamma

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
GEOMETRY = {"distance_cm": 15.0, "width_cm": 50.0}
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "corner": {"patch": {"corner": "upper_left", "size_px": 30}},
    "none": {"patch": {"size_px": 0}},
    "gamma": {"monitor": GEOMETRY | {"gamma": 2.2}, "patch": {"corner": "lower_left"}},
    "spherical": {"monitor": GEOMETRY | {"warp": "spherical"}, "patch": {"corner": "upper_right"}},
    "cylindrical": {"monitor": GEOMETRY | {"warp": "cylindrical"}},
}
SCRIPT = """
import sys
import tracemalloc
from pathlib import Path
import numpy as np
import yaml
from frame_buffer import frame_buffer
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.stimulus import StimulusConfig
from stimulus.presenter import psychopy_window
from stimulus.window_drawing import WindowDrawing
from stimulus.xvfb import VirtualDisplay
folder = Path(sys.argv[1])
configs, pictures = yaml.safe_load(sys.argv[2]), np.load(folder / "pictures.npy")
seen, peaks = {}, []
with VirtualDisplay((640, 360), framebuffer=folder) as display:
    screen = frame_buffer(folder / "Xvfb_screen0")
    for name, config in configs.items():
        stimulus = StimulusConfig.model_validate(config)
        with psychopy_window(stimulus, display=display.name, virtual=True, clock=HostClock()) as it:
            for number, picture in enumerate(pictures):
                for _refresh in range(2):
                    tracemalloc.start()
                    WindowDrawing.draw(it._drawing, picture, patch=255 * (number % 2))
                    peaks.append(tracemalloc.get_traced_memory()[1])
                    tracemalloc.stop()
                    it.flip()
                seen[f"{name}{number}"] = screen.copy()
np.savez(folder / "seen.npz", peak_bytes=sorted(peaks)[-3], **seen)
"""


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (3, 36, 64), np.uint8)


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, pictures: NDArray[np.uint8]
) -> dict[str, NDArray[np.uint8]]:
    """Each (360, 640, 3) screen, by name of the config and number of the picture."""
    folder = tmp_path_factory.mktemp("window")
    np.save(folder / "pictures.npy", pictures)
    script = f"import sys\nsys.path.append({str(ROOT / 'tests/fixtures')!r})\n{SCRIPT}"
    argv = [sys.executable, "-c", script, str(folder), yaml.safe_dump(CONFIGS)]
    subprocess.run(argv, check=True)
    return dict(np.load(folder / "seen.npz"))


def in_blocks(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.kron(picture, np.ones((10, 10), np.uint8))


def with_patch(
    screen: NDArray[np.uint8], rows: slice, cols: slice, *, number: int
) -> NDArray[np.uint8]:
    screen[rows, cols] = 255 * (number % 2)
    return screen


EXPECTED: dict[str, Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]] = {
    "plain": lambda p, n: with_patch(in_blocks(p), slice(320, 360), slice(600, 640), number=n),
    "corner": lambda p, n: with_patch(in_blocks(p), slice(30), slice(30), number=n),
    "none": lambda p, _: in_blocks(p),
    "gamma": lambda p, n: with_patch(
        in_blocks(inverse_gamma(2.2)[p]), slice(320, 360), slice(40), number=n
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_pixel_is_that_of_its_block_or_of_the_patch(
    seen: dict[str, NDArray[np.uint8]], pictures: NDArray[np.uint8], name: str
) -> None:
    for number, picture in enumerate(pictures):
        screen = seen[f"{name}{number}"]
        assert (np.ptp(screen, axis=-1) == 0).all()
        np.testing.assert_array_equal(screen[..., 0], EXPECTED[name](picture.copy(), number))


@pytest.mark.parametrize("name", ["spherical", "cylindrical"])
def test_a_warped_pixel_displays_what_lies_in_its_direction(
    seen: dict[str, NDArray[np.uint8]], pictures: NDArray[np.uint8], name: str
) -> None:
    rows, cols = np.mgrid[:360, :640]
    x, y, z = (cols - 319.5) * 50 / 640, (rows - 179.5) * 50 / 640, 15.0
    if name == "spherical":
        angle, direction = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
        across, down = z * angle * np.cos(direction), z * angle * np.sin(direction)
    else:
        across, down = z * np.arctan2(x, z), z * np.arctan2(y, np.hypot(x, z))
    place = np.stack([down, across]) * 64 / 50 + np.array([18.0, 32.0])[:, None, None]
    row, col = np.floor(place).astype(int)
    inside = (np.abs(place - np.floor(place) - 0.5) < 0.45).all(0)
    inside[:40, 600:] = inside[320:, 600:] = False
    assert inside.mean() > 0.75
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(
            seen[f"{name}{number}"][..., 0][inside], picture[row[inside], col[inside]]
        )
        patch = slice(40) if name == "spherical" else slice(320, 360)
        assert (seen[f"{name}{number}"][patch, 600:] == 255 * (number % 2)).all()


def test_drawing_allocates_less_than_one_frame(seen: dict[str, NDArray[np.uint8]]) -> None:
    # a conversion to float, as PsychoPy's ImageStim does, would take at least four times as much
    assert 0 < seen["peak_bytes"] < 36 * 64
