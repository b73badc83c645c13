import os
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from rtdecode.schema.errors import (
    DiskFullError,
    MissingFileError,
    SecondInstanceError,
    SessionExistsError,
    UnreadableFileError,
)
from rtdecode.session.layout import (
    SessionLayout,
    SessionLock,
    named_session,
    new_session,
    require_space,
    session_at,
    session_with_config,
)

STARTED = datetime(2026, 5, 4, 13, 2, 1)
HOLDER = """
import sys
from pathlib import Path
from rtdecode.session.layout import SessionLayout, SessionLock
lock = SessionLock(SessionLayout(Path(sys.argv[1])))
print("held", flush=True)
sys.stdin.read()
"""


def test_two_sessions_of_the_same_second_get_two_folders(tmp_path: Path) -> None:
    names = [new_session(tmp_path / "all", started=STARTED).folder.name for _ in range(3)]
    assert names == ["2026-05-04_13-02-01", "2026-05-04_13-02-01_2", "2026-05-04_13-02-01_3"]


def test_a_new_session_has_a_place_for_its_report(tmp_path: Path) -> None:
    assert new_session(tmp_path, started=STARTED).report.is_dir()
    assert named_session(tmp_path / "mine" / "deep").report.is_dir()


def test_a_new_session_is_for_its_user_alone(tmp_path: Path) -> None:
    for layout in (new_session(tmp_path / "all", started=STARTED), named_session(tmp_path / "my")):
        assert stat.S_IMODE(layout.folder.stat().st_mode) == 0o700
    (tmp_path / "shared").mkdir(mode=0o750)
    assert stat.S_IMODE(named_session(tmp_path / "shared").folder.stat().st_mode) == 0o750


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    layout = named_session(tmp_path / "mine")
    layout.log.write_bytes(b"precious")
    with pytest.raises(SessionExistsError, match="already holds a recorded session"):
        named_session(layout.folder)
    assert layout.log.read_bytes() == b"precious"


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableFileError, match="a folder that can be written"):
        named_session(tmp_path / "file")


def test_the_second_lock_of_one_process_is_refused(tmp_path: Path) -> None:
    layout = SessionLayout(tmp_path)
    with SessionLock(layout), pytest.raises(SecondInstanceError, match=f"process {os.getpid()}"):
        SessionLock(layout)
    SessionLock(layout).release()


@pytest.mark.system
def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SecondInstanceError, match=f"in use by process {holder.pid}:"):
            named_session(tmp_path)
        holder.kill()
    SessionLock(SessionLayout(tmp_path)).release()


def test_a_full_disk_is_named_before_anything_starts(tmp_path: Path) -> None:
    require_space(tmp_path, needed_mb=0)
    with pytest.raises(DiskFullError, match="a run needs at least 1000000000000 MB"):
        require_space(tmp_path, needed_mb=1e12)


def test_a_session_is_found_by_its_folder_or_its_log(tmp_path: Path) -> None:
    layout = named_session(tmp_path / "mine")
    with pytest.raises(MissingFileError, match="give a folder that `rtdecode run`"):
        session_at(layout.folder)
    layout.log.touch()
    assert session_at(layout.folder) == session_at(layout.log) == layout


def test_a_file_that_is_no_log_of_a_session_is_refused(tmp_path: Path) -> None:
    layout = named_session(tmp_path / "s")
    layout.log.write_bytes(b"x")
    other = layout.folder / "log.damaged.mcap"
    other.write_bytes(b"x")
    with pytest.raises(UnreadableFileError, match=r"a file of another name: move it to a folder"):
        session_at(other)
    with pytest.raises(MissingFileError, match=r"none/log\.mcap does not exist"):
        session_at(tmp_path / "none" / "log.mcap")


def test_a_log_without_the_config_of_its_run_is_named(tmp_path: Path) -> None:
    layout = named_session(tmp_path / "s")
    layout.log.write_bytes(b"x")
    with pytest.raises(MissingFileError, match=r"config\.yaml does not exist: a log without it"):
        session_with_config(layout.log)
    layout.config.write_text("")
    assert session_with_config(layout.folder) == layout
