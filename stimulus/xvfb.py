"""A private virtual X display (Xvfb) for the stimulus window on machines without a screen."""

import os
import select
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

from rtdecode.schema.errors import NoDisplayError

_START_S = 20.0
_END_S = 5.0


class VirtualDisplay:
    """An Xvfb server that this process starts and ends; the server chooses a free display number.

    It runs in a separate session, so that Ctrl-C reaches the stimulus process first, and with
    `-terminate`, so that it ends with its last client even if the stimulus process is killed.

    Parameters
    ----------
    size_px
        (width, height) of its one screen.
    framebuffer
        Folder in which the server keeps its picture as a file in XWD layout (`Xvfb_screen0`),
        for tests that compare it with the displayed frames.

    Raises
    ------
    NoDisplayError
        If Xvfb is not installed or does not start.
    """

    def __init__(self, size_px: tuple[int, int], *, framebuffer: Path | None = None) -> None:
        program = shutil.which("Xvfb")
        if program is None:
            raise NoDisplayError(got="DISPLAY is not set and Xvfb is not installed")
        width, height = size_px
        read_end, write_end = os.pipe()
        argv = [program, "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24"]
        argv += ["+extension", "GLX", "-nolisten", "tcp", "-terminate"]
        argv += ["-fbdir", str(framebuffer)] if framebuffer else []
        with TemporaryFile() as errors, open(read_end, "rb") as answer:
            self._server = subprocess.Popen(  # noqa: S603 - no part of argv comes from a user
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(write_end,),
                start_new_session=True,
            )
            os.close(write_end)
            self.name = self._name(answer, errors)

    def _name(self, answer: IO[bytes], errors: IO[bytes]) -> str:
        """The display's name, such as ":3"; the server writes its number once it is ready."""
        ready, _, _ = select.select([answer], [], [], _START_S)
        number = answer.readline().strip().decode() if ready else ""
        if number:
            return f":{number}"
        self.close()
        errors.seek(0)
        last = (
            errors.read().decode(errors="replace").strip().splitlines() or ["it printed no message"]
        )[-1]
        raise NoDisplayError(got=f"Xvfb did not start: {last}")

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        try:
            self._server.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()
