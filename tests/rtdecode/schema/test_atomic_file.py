"""A file that is written anew is never half there."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtdecode.schema.atomic_file import written_atomically


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
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet_in_an_unfinished_one(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with written_atomically(path) as first:
        first.write_text("first")
        with written_atomically(path) as second:
            second.write_text("second")
            assert first.read_text() == "first"
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom pathlib import Path\n"
        "from rtdecode.schema.atomic_file import written_atomically\n"
        f"with written_atomically(Path({str(tmp_path / 'a.json')!r})) as unfinished:\n"
        "    unfinished.write_text('half')\n    os._exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 3
    assert len(list(tmp_path.iterdir())) == 1
    with written_atomically(tmp_path / "a.json") as unfinished:
        unfinished.write_text("whole")
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
