"""A file that is written anew is never half there."""

from pathlib import Path

import pytest

from rtdecode.runtime.atomic_file import written_atomically


def write_half(path: Path) -> None:
    with written_atomically(path) as unfinished:
        unfinished.write_text("half")
        raise OSError("the disk is full")


def test_the_new_content_is_there_after_the_block_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "results.json"
    with written_atomically(path) as unfinished:
        unfinished.write_text("first")
        assert not path.exists()
    with written_atomically(path) as unfinished:
        unfinished.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("before")
    with pytest.raises(OSError, match="full"):
        write_half(path)
    assert path.read_text() == "before"
