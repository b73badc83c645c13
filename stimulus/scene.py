"""Rendering of a scene for clips: a background under a gaze path and moving cut-outs in front."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stimulus.gaze import GazePath, gaze_path
from stimulus.surface import F64, Surface

ROWS_PX, COLS_PX = 36, 64


@dataclass(frozen=True, slots=True, eq=False)
class SceneImage:
    """An image from which views at any position and scale can be rendered."""

    name: str
    licence: str
    surface: Surface
    scale: tuple[float, float]
    """Smallest and largest number of image pixels per screen pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A surface and the path along which the screen moves over it."""

    surface: Surface
    path: GazePath
    origin_px: tuple[float, float]
    """(row, col) on the surface, in its pixels, at which the path begins."""
    scale: float
    """Surface pixels per screen pixel at zoom 1."""

    def frame(self, index: int) -> F64:
        """(36, 64) grey levels of frame `index`."""
        scale = self.scale * self.path.zoom[index]
        row, col = np.asarray(self.origin_px) + self.scale * self.path.center_px[index]
        rows = row + scale * (np.arange(ROWS_PX + 1) - ROWS_PX / 2)
        cols = col + scale * (np.arange(COLS_PX + 1) - COLS_PX / 2)
        return self.surface.view(rows, cols)


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An elliptic cut-out of another surface that moves in front of the background."""

    texture: Layer
    path: GazePath
    radii_px: tuple[float, float]

    def cover(self, index: int) -> F64:
        """(36, 64) coverage of each pixel, 0..1; the edge is a ramp one pixel wide."""
        row, col = self.path.center_px[index]
        down = (np.arange(ROWS_PX)[:, None] + 0.5 - _bounced(row, ROWS_PX)) / self.radii_px[0]
        across = (np.arange(COLS_PX) + 0.5 - _bounced(col, COLS_PX)) / self.radii_px[1]
        return np.clip(0.5 + (1 - np.hypot(down, across)) * min(self.radii_px), 0, 1)


def scene_frames(background: Layer, cutouts: Sequence[Cutout], frames: int) -> NDArray[np.float32]:
    """(frame, 36, 64) float32 grey levels of the composed scene.

    Each cut-out is composed over what lies behind it: (1 - cover) background + cover texture.
    """
    video = np.empty((frames, ROWS_PX, COLS_PX), np.float32)
    for index in range(frames):
        picture = background.frame(index)
        for cutout in cutouts:
            cover = cutout.cover(index)
            picture = picture * (1 - cover) + cutout.texture.frame(index) * cover
        video[index] = picture
    return video


def random_layer(rng: Generator, image: SceneImage, path: GazePath) -> Layer:
    """A layer that starts at a random position of `image`, off its edges, at a random scale."""
    row, col = rng.uniform(0.2, 0.8, 2) * image.surface.size_px
    return Layer(image.surface, path, (float(row), float(col)), float(rng.uniform(*image.scale)))


def random_cutout(rng: Generator, image: SceneImage, frames: int, *, rate_hz: float) -> Cutout:
    """An object 10 to 32 px wide that starts at a random position and carries its texture."""
    random_path = gaze_path(rng, frames, rate_hz=rate_hz)
    start = rng.uniform([0, 0], [ROWS_PX, COLS_PX])
    path = GazePath(start + rng.uniform(0.5, 1.5) * random_path.center_px, random_path.zoom)
    on_screen = np.stack(
        [_bounced(path.center_px[:, 0], ROWS_PX), _bounced(path.center_px[:, 1], COLS_PX)], axis=1
    )
    # the opposite path keeps the texture fixed to the object
    texture = random_layer(rng, image, GazePath(-on_screen, random_path.zoom))
    tall, wide = rng.uniform(5, 12), rng.uniform(5, 16)
    return Cutout(texture, path, (float(tall), float(wide)))


def _bounced(position: F64, size: int) -> F64:
    """Positions reflected at the edges 0 and `size` of the screen."""
    return np.asarray(size - np.abs(np.mod(position, 2 * size) - size))
