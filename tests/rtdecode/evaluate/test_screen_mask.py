"""The screen mask is read from its file, or is the whole screen; a wrong file is refused."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.screen_mask import read_screen_mask, read_transparency, scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import EvaluateConfig
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def masked_by(path: Path | None) -> RunConfig:
    return RunConfig(evaluate=EvaluateConfig(mask=path))


def test_without_a_file_the_whole_screen_counts() -> None:
    mask = scoring_mask(masked_by(None))
    assert mask.shape == (36, 64)
    assert mask.all()


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    mask = np.zeros((36, 64), bool)
    mask[3:9, 4] = True
    np.save(tmp_path / "m.npy", mask)
    np.testing.assert_array_equal(scoring_mask(masked_by(tmp_path / "m.npy")), mask)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.ones((36, 63), bool), r"bool of shape \(36, 64\), got bool of shape \(36, 63\)"),
        (np.ones((36, 64), np.uint8), "got uint8"),
        (np.zeros((36, 64), bool), "at least one pixel set"),
    ],
)
def test_a_wrong_mask_is_refused(tmp_path: Path, wrong: np.ndarray, said: str) -> None:
    np.save(tmp_path / "m.npy", wrong)
    with pytest.raises(UnreadableFileError, match=rf"m\.npy.*{said}"):
        scoring_mask(masked_by(tmp_path / "m.npy"))


def test_no_numpy_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.npy").write_text("mask")
    with pytest.raises(UnreadableFileError, match="screen mask"):
        scoring_mask(masked_by(tmp_path / "m.npy"))


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="fit mask"):
        scoring_mask(masked_by(tmp_path / "m.npy"))


def test_an_archive_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "m.npy").open("wb") as file:
        np.savez(file, mask=np.ones((36, 64), bool))
    with pytest.raises(UnreadableFileError, match=r"got a \.npz archive"):
        read_screen_mask(tmp_path / "m.npy", shape=(36, 64))


def test_the_transparency_is_read_and_refused_in_the_same_way(tmp_path: Path) -> None:
    transparency = np.linspace(0, 2, 192, dtype=np.float32).reshape(12, 16)
    np.save(tmp_path / "t.npy", transparency)
    np.testing.assert_array_equal(
        read_transparency(tmp_path / "t.npy", shape=(12, 16)), transparency
    )
    with pytest.raises(UnreadableFileError, match="transparency"):
        read_transparency(tmp_path / "t.npy", shape=(16, 12))
    with pytest.raises(MissingFileError, match="fit mask"):
        read_transparency(tmp_path / "none.npy", shape=(12, 16))


def undamaged() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones((6, 8), np.bool_))
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = bytearray(undamaged())
    for place in draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[place] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw)


@given(
    content=damaged() | st.binary(max_size=60).map(b"PK\x03\x04".__add__) | st.binary(max_size=60)
)
def test_any_bytes_are_a_mask_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "mask.npy"
    path.write_bytes(content)
    with contextlib.suppress(UnreadableFileError):
        assert read_screen_mask(path, shape=(6, 8)).shape == (6, 8)
