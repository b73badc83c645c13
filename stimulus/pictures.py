"""Still images from which clips are made: dead-leaves images and freely licensed photographs."""

from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rtdecode.runtime.extras import SIMULATION, missing_extra_named
from rtdecode.schema.errors import MissingFileError

_TEXTURE = 0.15


def dead_leaves(rng: Generator, size_px: int = 512, *, discs: int = 1500) -> NDArray[np.float32]:
    """An image of the dead-leaves model (Lee, Mumford & Huang 2001, Int. J. Comput. Vis.).

    Discs of random position and grey level occlude each other; the density of their radii falls
    as r^-3 between 6 px and a third of the image, and a fine multiplicative texture covers them.
    Occlusion makes edges and an amplitude spectrum near 1/f, as in natural scenes, in any number
    of images and free of rights.

    Parameters
    ----------
    size_px
        Height and width of the image.
    discs
        Number of discs, the last one in front.

    Returns
    -------
    (size_px, size_px) float32 grey levels 0..255.
    """
    picture = np.full((size_px, size_px), 128, np.float32)
    texture = rng.normal(0, _TEXTURE, picture.shape).astype(np.float32)
    smallest, largest = 6.0, size_px / 3
    radii = 1 / np.sqrt(rng.uniform(largest**-2, smallest**-2, discs))
    for radius, (row, col), grey in zip(
        radii, rng.uniform(0, size_px, (discs, 2)), rng.uniform(10, 245, discs), strict=True
    ):
        top, left = max(0, int(row - radius)), max(0, int(col - radius))
        box = picture[top : int(row + radius) + 2, left : int(col + radius) + 2]
        rows, cols = np.ogrid[top : top + box.shape[0], left : left + box.shape[1]]
        inside = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
        box[inside] = grey
    return np.asarray(np.clip(picture * (1 + texture), 0, 255), np.float32)


_LUMA_601 = np.array([0.299, 0.587, 0.114], np.float32)


class Split(StrEnum):
    """Disjoint sets of photographs: no photograph belongs to both."""

    TRAIN = "train"
    SHOW = "show"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image file of the installed scikit-image package."""

    file: str
    split: Split
    scale: tuple[float, float]
    """Smallest and largest number of image pixels per screen pixel; textures are magnified."""
    licence: str

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.file.partition(".")[0]

    def luma(self) -> NDArray[np.float32]:
        """(row, col) float32 luma (ITU-R BT.601), 0..255.

        Raises
        ------
        ExtraMissingError
            If scikit-image is not installed.
        MissingFileError
            If the installed package does not contain the file.
        """
        # a screen that displays protocols or videos does without these files and their package
        with missing_extra_named(SIMULATION):
            from skimage.io import imread

        with_path = files("skimage") / "data" / self.file
        try:
            with with_path.open("rb") as stream:
                pixels = np.asarray(imread(stream))
        except FileNotFoundError as error:
            raise MissingFileError(
                what="photograph",
                path=Path(error.filename),
                remedy="install scikit-image 0.25, or set stimulus.clips to a folder of videos",
            ) from error
        return pixels.astype(np.float32) if pixels.ndim == 2 else pixels[..., :3] @ _LUMA_601  # noqa: PLR2004


PHOTOGRAPHS = (
    Photograph("astronaut.png", Split.TRAIN, (3.0, 6.0), "public domain (NASA)"),
    Photograph("coffee.png", Split.TRAIN, (3.0, 6.0), "CC0 (Rachel Michetti)"),
    Photograph(
        "coins.png", Split.TRAIN, (2.5, 5.0), "no known copyright restrictions (Brooklyn Museum)"
    ),
    Photograph("brick.png", Split.TRAIN, (1.5, 4.0), "CC0 (CC0Textures)"),
    Photograph("grass.png", Split.TRAIN, (0.8, 2.5), "CC0 (Linolafett)"),
    Photograph("retina.jpg", Split.TRAIN, (4.0, 10.0), "CC0 (Mikael Haggstrom)"),
    Photograph("hubble_deep_field.jpg", Split.TRAIN, (3.0, 6.0), "public domain (NASA)"),
    Photograph("chelsea.png", Split.SHOW, (3.0, 6.0), "CC0 (Stefan van der Walt)"),
    Photograph("camera.png", Split.SHOW, (3.5, 7.0), "CC0 (Lav Varshney)"),
    Photograph("rocket.jpg", Split.SHOW, (3.0, 6.0), "public domain (SpaceX)"),
    Photograph("gravel.png", Split.SHOW, (0.8, 2.0), "CC0 (CC0Textures)"),
)
"""The photographs, each with the licence that scikit-image's documentation states for it."""


def photographs(split: Split) -> tuple[Photograph, ...]:
    """Photographs of `split`."""
    return tuple(photo for photo in PHOTOGRAPHS if photo.split is split)
