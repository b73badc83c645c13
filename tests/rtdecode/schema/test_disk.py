import errno
import os
from pathlib import Path

import pytest

from rtdecode.schema.disk import free_bytes, mount_point, write_error, write_errors_named
from rtdecode.schema.errors import FileWriteError


def test_the_disk_of_a_file_that_does_not_exist_yet_is_that_of_its_folder(tmp_path: Path) -> None:
    later = tmp_path / "not" / "yet"
    assert mount_point(later) == mount_point(tmp_path)
    assert os.path.ismount(mount_point(later))
    assert mount_point(Path("/proc/version")) == Path("/proc")
    stat = os.statvfs(tmp_path)
    assert free_bytes(later) == pytest.approx(stat.f_bavail * stat.f_frsize, abs=500_000_000)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES])
def test_an_error_of_the_disk_names_file_disk_and_remedy(tmp_path: Path, code: int) -> None:
    path = tmp_path / "summary.json"
    with pytest.raises(FileWriteError) as error, write_errors_named(path):
        raise OSError(code, os.strerror(code))
    said = str(error.value)
    assert said.startswith(f"{path} cannot be written ({os.strerror(code)}; its disk, mounted at ")
    assert "MB free): free some space there" in said
    assert error.value.exit_code == 1


def test_another_error_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_errors_named(tmp_path):
        (tmp_path / "none").read_text()


def test_a_full_device_is_named() -> None:
    with pytest.raises(FileWriteError, match=r"^/dev/full cannot be written \(No space left"):
        with write_errors_named(Path("/dev/full")):
            Path("/dev/full").write_text("x")


def test_an_error_without_a_file_name_names_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(write_error(OSError(errno.ENOSPC, "full"))).startswith(str(tmp_path))
