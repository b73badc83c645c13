"""A virtual display is started and ended, chooses its number, and says why it cannot."""

from pathlib import Path

import pytest

from rtdecode.schema.errors import NoDisplayError
from stimulus.xvfb import VirtualDisplay


@pytest.mark.system
def test_two_displays_do_not_meet(tmp_path: Path) -> None:
    with (
        VirtualDisplay((64, 36), framebuffer=tmp_path) as one,
        VirtualDisplay((64, 36)) as other,
    ):
        assert one.name.startswith(":")
        assert one.name != other.name
        assert (tmp_path / "Xvfb_screen0").stat().st_size >= 64 * 36 * 4


def test_without_xvfb_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NoDisplayError, match=r"Xvfb is not installed.*apt-get install xvfb"):
        VirtualDisplay((64, 36))


def test_an_xvfb_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "Xvfb"
    fake.write_text("#!/bin/sh\necho 'Fatal server error: no fonts' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(NoDisplayError, match="Xvfb did not start: Fatal server error: no fonts"):
        VirtualDisplay((64, 36))
