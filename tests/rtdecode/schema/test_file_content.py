"""A file is named for what it is, whatever its name says."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.schema.errors import MissingFileError
from rtdecode.schema.file_content import content_of

HEADS = {
    "MP4": b"\0\0\0\x20ftypisom",
    "HDF5": b"\x89HDF\r\n\x1a\n",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "text": "Mäuse sehen, was wir zeigen.\n".encode() * 30,
    None: np.arange(100, 400, dtype=np.uint16).tobytes(),
}


@pytest.mark.parametrize(("name", "head"), HEADS.items())
def test_a_format_is_found_by_the_first_bytes(
    name: str | None, head: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "scans.raw"
    file.write_bytes(head)
    assert content_of(file) == name


def test_text_that_is_cut_within_a_character_is_text(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_bytes(("x" + "µ" * 400).encode())
    assert content_of(file) == "text"


def test_an_empty_file_is_of_no_format(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert content_of(tmp_path / "empty") is None


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    video = tmp_path / "movie.mp4"
    video.write_bytes(HEADS["MP4"])

    def said(path: Path, expected: str = "a file") -> str:
        return str(MissingFileError(what="log", path=path, remedy="x", expected=expected))

    assert f"because {video} is a file in MP4 format, not a folder" in said(video / "log.mcap")
    assert f"because there is no folder {tmp_path / 'a'}" in said(tmp_path / "a" / "b" / "log")
    assert "is a file in MP4 format, not a folder" in said(video, "a folder")
    assert said(tmp_path / "none") == f"log {tmp_path / 'none'} does not exist: x"
