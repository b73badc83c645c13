"""With the inverse gamma, luminance is proportional to the grey level of the movie."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.schema.gamma import inverse_gamma

LEVELS = np.arange(256)


@given(gamma=st.floats(0.4, 4.0))
def test_luminance_is_proportional_to_the_level_within_the_steps_of_the_monitor(
    gamma: float,
) -> None:
    def luminance(level: object) -> np.ndarray:
        return (np.clip(level, 0, 255) / 255) ** gamma  # type: ignore[call-overload, no-any-return]

    sent = inverse_gamma(gamma).astype(float)
    wanted = LEVELS / 255
    assert (luminance(sent - 0.51) <= wanted).all()
    assert (luminance(sent + 0.51) >= wanted).all()
    assert (sent[0], sent[255]) == (0, 255)


def test_without_gamma_every_level_is_sent_as_it_is() -> None:
    np.testing.assert_array_equal(inverse_gamma(None), LEVELS)


def test_a_measured_power_law_gives_the_inverse_of_its_exponent(tmp_path: Path) -> None:
    table = tmp_path / "photometer.csv"
    levels = np.arange(0, 256, 5)
    lines = [f"{level},{0.3 + 120 * (level / 255) ** 2.2:.6f}" for level in levels]
    table.write_text("\n".join(["# cd/m2", "level,luminance", *lines]))
    difference = inverse_gamma(table).astype(int) - inverse_gamma(2.2)
    # linear interpolation between measured levels is coarse where the curve is flat
    assert np.abs(difference[8:]).max() <= 1
    assert np.abs(difference).max() <= 3


def test_a_column_of_256_levels_is_sent_as_it_is_in_the_file(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, 256)
    table = tmp_path / "inverse.txt"
    table.write_text("\n".join(map(str, levels)))
    np.testing.assert_array_equal(inverse_gamma(table), levels)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "or none"),
        ("0 1\n255 2", "2 levels from 0 to 255"),
        ("0 1\n9 1\n20 2\n30 3\n255 4", "a luminance that does not increase"),
        ("1\n2\n3", "3 values from 1 to 3"),
        ("0 1\n9 x\n20 2\n30 3\n255 4", "values that are not numbers"),
        ("0 1 2\n3 4 5", "of more than two values"),
        ("9\n" * 80_000, "a file of more than 100000 bytes"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(UnreadableFileError, match=rf"gamma table .*table\.csv.*{words}"):
        inverse_gamma(table)


def test_a_table_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gamma table .*none\.csv does not exist"):
        inverse_gamma(tmp_path / "none.csv")
