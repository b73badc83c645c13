"""The photographs are in the installed package, and no split has another's."""

import pytest

from rtdecode.schema.errors import MissingFileError
from stimulus.pictures import PHOTOGRAPHS, Photograph, Split, photographs


@pytest.mark.parametrize("photo", PHOTOGRAPHS, ids=lambda photo: photo.name)
def test_a_photograph_has_grey_levels_contrast_and_a_licence(photo: Photograph) -> None:
    luma = photo.luma()
    assert luma.ndim == 2
    assert 0 <= luma.min() < luma.max() <= 255.01
    assert luma.std() > 10
    assert photo.licence.startswith(("CC0", "public domain", "no known copyright"))


def test_no_photograph_serves_both_splits() -> None:
    files = [photo.file for split in Split for photo in photographs(split)]
    assert sorted(files) == sorted({photo.file for photo in PHOTOGRAPHS})
    assert all(len(photographs(split)) >= 4 for split in Split)


def test_red_green_and_blue_count_as_luma_does() -> None:
    astronaut = next(photo for photo in PHOTOGRAPHS if photo.name == "astronaut")
    # the first pixel of astronaut.png is (154, 147, 151)
    assert astronaut.luma()[0, 0] == pytest.approx(0.299 * 154 + 0.587 * 147 + 0.114 * 151, abs=0.1)


def test_a_photograph_that_the_wheel_lacks_is_named() -> None:
    with pytest.raises(MissingFileError, match=r"unicorn\.png does not exist.*scikit-image"):
        Photograph("unicorn.png", Split.SHOW, (1.0, 2.0), "CC0").luma()
