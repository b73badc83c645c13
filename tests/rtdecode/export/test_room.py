"""A full disk ends an NWB export with an error, at whatever byte, and never with the process."""

import subprocess
import sys
from io import SEEK_END
from pathlib import Path

import numpy as np
import pytest

from rtdecode.export.nwb_library import SparedFile

LIMITED = """
import resource, signal, sys
from pathlib import Path
from rtdecode.export.nwb import write_nwb
from rtdecode.schema.atomic_file import new_output
from rtdecode.schema.errors import FileWriteError
from rtdecode.session.recorded import RecordedSession

session, out = RecordedSession(sys.argv[1]), Path(sys.argv[2])
whole = out.with_name("whole.nwb")
write_nwb(session, whole)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for share in (0.0, 0.5, 0.95):
    limit = int(share * whole.stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with new_output(out) as unfinished:
            write_nwb(session, unfinished)
    except FileWriteError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of the size of a file")
def test_an_nwb_file_that_does_not_fit_is_an_error_at_any_byte(shown: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", LIMITED, str(shown), str(tmp_path / "a.nwb")]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("cannot be written (File too large") == 3
    assert [one.name for one in tmp_path.iterdir()] == ["whole.nwb"]


class SmallDisk:
    """A raw file that takes `room` bytes, the last write in part, and then refuses."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: memoryview) -> int:
        if self._room <= 0:
            raise OSError(28, "No space left on device")
        count = min(self._room, len(data))
        self._room -= count
        return int(self._file.write(bytes(data[:count])))  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 1, 500, 1_000_000])
def test_what_does_not_fit_is_still_read_back(tmp_path: Path, room: int) -> None:
    rng, file = np.random.default_rng(room), SparedFile(tmp_path / "a")
    file._file = SmallDisk(file._file, room)  # type: ignore[assignment]
    model = bytearray()
    for _ in range(60):
        at, count = (int(n) for n in rng.integers(0, (1500, 200)))
        data = rng.integers(0, 256, count, np.uint8).tobytes()
        file.seek(at)
        assert file.write(data) == count
        model.extend(bytes(max(0, at + count - len(model))))
        model[at : at + count] = data
        at, count = (int(n) for n in rng.integers(0, (len(model), 300)))
        file.seek(at)
        assert file.read(count) == bytes(model[at : at + count])
    assert file.seek(0, SEEK_END) == len(model)
    if room < len(model):
        with pytest.raises(OSError, match="No space left"):
            file.raise_error()
    else:
        file.raise_error()
    file.close()
