"""A background seen along a gaze path, with objects in front that move on their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stimulus.gaze import GazePath, gaze_path
from stimulus.surface import F64, Surface

ROWS_PX, COLS_PX = 36, 64


@dataclass(frozen=True, slots=True, eq=False)
class Scenery:
    """A picture ready to be looked at."""

    name: str
    licence: str
    surface: Surface
    scale: tuple[float, float]
    """Its pixels for each screen pixel, least and most."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A surface that slides behind the screen."""

    surface: Surface
    path: GazePath
    origin_px: tuple[float, float]
    """(row, col) on the surface where the path begins."""
    scale: float
    """Surface pixels for each screen pixel at zoom 1."""

    def frame(self, index: int) -> F64:
        """(36, 64) grey levels of frame `index`."""
        scale = self.scale * self.path.zoom[index]
        row, col = np.asarray(self.origin_px) + self.scale * self.path.center_px[index]
        rows = row + scale * (np.arange(ROWS_PX + 1) - ROWS_PX / 2)
        cols = col + scale * (np.arange(COLS_PX + 1) - COLS_PX / 2)
        return self.surface.view(rows, cols)


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An elliptic piece of another surface, moving in front."""

    texture: Layer
    path: GazePath
    radii_px: tuple[float, float]

    def cover(self, index: int) -> F64:
        """(36, 64) share of each pixel that the object covers; its edge is one pixel soft."""
        row, col = self.path.center_px[index]
        down = (np.arange(ROWS_PX)[:, None] + 0.5 - _bounced(row, ROWS_PX)) / self.radii_px[0]
        across = (np.arange(COLS_PX) + 0.5 - _bounced(col, COLS_PX)) / self.radii_px[1]
        return np.clip(0.5 + (1 - np.hypot(down, across)) * min(self.radii_px), 0, 1)


def scene_frames(background: Layer, cutouts: Sequence[Cutout], frames: int) -> NDArray[np.float32]:
    """(frame, 36, 64) grey levels of the whole scene."""
    video = np.empty((frames, ROWS_PX, COLS_PX), np.float32)
    for index in range(frames):
        picture = background.frame(index)
        for cutout in cutouts:
            cover = cutout.cover(index)
            picture = picture * (1 - cover) + cutout.texture.frame(index) * cover
        video[index] = picture
    return video


def random_layer(rng: Generator, scenery: Scenery, path: GazePath) -> Layer:
    """A look at a random place of `scenery` away from its edges, from a random distance."""
    row, col = rng.uniform(0.2, 0.8, 2) * scenery.surface.size_px
    return Layer(
        scenery.surface, path, (float(row), float(col)), float(rng.uniform(*scenery.scale))
    )


def random_cutout(rng: Generator, scenery: Scenery, frames: int, *, rate_hz: float) -> Cutout:
    """An object 10 to 30 px wide that starts anywhere and carries its texture with it."""
    way = gaze_path(rng, frames, rate_hz=rate_hz)
    start = rng.uniform([0, 0], [ROWS_PX, COLS_PX])
    path = GazePath(start + rng.uniform(0.5, 1.5) * way.center_px, way.zoom)
    shown = np.stack(
        [_bounced(path.center_px[:, 0], ROWS_PX), _bounced(path.center_px[:, 1], COLS_PX)], axis=1
    )
    texture = random_layer(rng, scenery, GazePath(-shown, way.zoom))
    tall, wide = rng.uniform(5, 12), rng.uniform(5, 16)
    return Cutout(texture, path, (float(tall), float(wide)))


def _bounced(position: F64, size: int) -> F64:
    """Fold a path that leaves the screen back into it."""
    return np.asarray(size - np.abs(np.mod(position, 2 * size) - size))
