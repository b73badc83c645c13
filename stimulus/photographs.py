"""Photographs that may be passed on freely; they ship inside the installed scikit-image package."""

from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from skimage.io import imread

from rtdecode.schema.errors import MissingFileError

_LUMA_601 = np.array([0.299, 0.587, 0.114], np.float32)


class Split(StrEnum):
    """Which photographs a clip may hold: no photograph serves both splits."""

    TRAIN = "train"
    SHOW = "show"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image file of scikit-image's wheel."""

    file: str
    split: Split
    scale: tuple[float, float]
    """Its pixels for each screen pixel, least and most: textures are looked at from near."""
    licence: str

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return self.file.partition(".")[0]

    def luma(self) -> NDArray[np.float32]:
        """(row, col) grey levels 0..255; raises MissingFileError if the wheel lacks it."""
        with_path = files("skimage") / "data" / self.file
        try:
            with with_path.open("rb") as stream:
                pixels = np.asarray(imread(stream))
        except FileNotFoundError as error:
            raise MissingFileError(
                what="photograph",
                path=error.filename,
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
"""Each with the licence that scikit-image's documentation states for it."""


def photographs(split: Split) -> tuple[Photograph, ...]:
    """Those of `split`."""
    return tuple(photo for photo in PHOTOGRAPHS if photo.split is split)
