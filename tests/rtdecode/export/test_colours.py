"""The colours of errors and uncertainty are those of the page."""

import re
from pathlib import Path

import numpy as np

from rtdecode.export import colours
from rtdecode.export.colours import (
    FULL_ERROR,
    FULL_UNCERTAINTY,
    error_colours,
    error_rgb,
    grey_rgb,
    uncertainty_colours,
    uncertainty_rgb,
)

PICTURES = Path(colours.__file__).parents[1] / "view" / "static" / "pictures.js"


def constant(name: str) -> list[int]:
    """Numbers of a constant of the page's script."""
    found = re.search(rf"const {name} = (.*?);", PICTURES.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, name
    return [int(number) for number in re.findall(r"\d+", found[1])]


def test_the_scales_are_those_of_the_page() -> None:
    text = PICTURES.read_text(encoding="utf-8")
    neutral = re.search(r'theme === "light" \? \[[\d, ]+\] : \[([\d, ]+)\]', text)
    assert neutral is not None
    assert error_colours()[255].tolist() == [int(one) for one in neutral[1].split(",")]
    ends = [error_colours()[255 - FULL_ERROR], error_colours()[255 + FULL_ERROR]]
    assert np.concatenate(ends).tolist() == constant("ENDS")
    assert constant("FULL_ERROR") == [FULL_ERROR]
    assert constant("FULL_UNCERTAINTY") == [FULL_UNCERTAINTY]
    stops = uncertainty_colours()[::FULL_UNCERTAINTY]
    assert stops.reshape(-1).tolist() == constant("UNCERTAINTY_COLOURS")
    assert "t ** 0.8" in text


def test_values_beyond_the_scales_have_the_colours_of_their_ends() -> None:
    dark, bright = np.zeros((1, 1), np.uint8), np.full((1, 1), 255, np.uint8)
    far = np.full((1, 1), 300, np.float32)
    assert error_rgb(dark, far)[0, 0].tolist() == error_colours()[-1].tolist()
    assert error_rgb(bright, -far)[0, 0].tolist() == error_colours()[0].tolist()
    assert uncertainty_rgb(far)[0, 0].tolist() == uncertainty_colours()[-1].tolist()
    assert grey_rgb(far)[0, 0].tolist() == [255, 255, 255]
    assert grey_rgb(-far)[0, 0].tolist() == [0, 0, 0]


def test_an_error_of_none_is_the_colour_of_the_page() -> None:
    displayed = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (error_rgb(displayed, displayed.astype(np.float32)) == error_colours()[255]).all()
