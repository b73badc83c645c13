"""An array of a session's files is mapped as it is; other content is reported with its path."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.video_session import session_array, unlike
from rtdecode.schema.errors import MissingFileError, UnreadableFileError


def test_an_array_is_mapped_and_not_read(tmp_path: Path) -> None:
    held = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "0.npy", held)
    found = session_array(tmp_path / "0.npy", remedy="")
    assert isinstance(found, np.memmap)
    np.testing.assert_array_equal(found, held)


def test_without_the_file_the_remedy_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"0\.npy.*give the folder above"):
        session_array(tmp_path / "0.npy", remedy="give the folder above")


def test_something_else_than_an_array_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("not an array")
    np.savez(tmp_path / "several.npy", a=np.zeros(2))
    (tmp_path / "several.npy.npz").rename(tmp_path / "several.npy")
    np.save(tmp_path / "one.npy", np.float32(1))
    for name in ("text", "several", "one"):
        with pytest.raises(UnreadableFileError, match=rf"{name}\.npy.*an array in \.npy form"):
            session_array(tmp_path / f"{name}.npy", remedy="")


def test_an_unexpected_array_is_reported_with_its_shape() -> None:
    error = unlike(Path("0.npy"), "(row, col)", np.zeros((2, 3, 4), np.uint8))
    assert "(row, col)" in str(error)
    assert "(2, 3, 4) uint8" in str(error)
