"""`rtdecode export` writes a whole new file or none, and refuses what it cannot write by name."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from shown_run import write_shown_run
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.commands import export as command
from rtdecode.commands.export import FORMATS, Format
from rtdecode.export.span import Span, needed_bytes
from rtdecode.schema.atomic_file import new_output
from rtdecode.schema.errors import OutputBusyError, OutputExistsError
from rtdecode.session.recorded import RecordedSession


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shown_run(tmp_path_factory.mktemp("exported") / "run").folder


def export(session: Path, out: Path, to: str = "npz", *options: str) -> Result:
    words = ["export", str(session), "--to", to, "--out", str(out), *options]
    return CliRunner().invoke(app, words)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_states_where_it_wrote_how_large_and_what_is_lacking(
    shown: Path, tmp_path: Path
) -> None:
    told = export(shown, tmp_path / "made" / "a.npz")
    assert told.exit_code == 0, told.output
    assert f"{tmp_path / 'made' / 'a.npz'} was written (" in told.output.replace("\n", "")
    assert "It lacks the scans" in told.output
    assert left(tmp_path / "made") == ["a.npz"]


def test_every_format_has_its_writer() -> None:
    for name, row in FORMATS.items():
        assert callable(row.loaded()), name
        assert row.suffix in {"", *(f".{one}" for one in ("npz", "mp4", "mcap", "nwb"))}


@pytest.mark.parametrize(
    ("out", "words", "says"),
    [
        ("a.avi", ("avi",), "--to avi is not known: give one of"),
        ("a.zip", ("npz",), "ends with .npz: give --out"),
        ("a", ("npz",), "has no ending"),
        ("there.npz", ("npz",), "exists already and is not overwritten: choose another --out"),
        ("there.npz/a.npz", ("npz",), "expected a path in a folder"),
        ("a.npz", ("npz", "--start-s", "50"), "the session lasts 3.0 s; give --start-s"),
    ],
)
def test_bad_input_is_refused_by_name_and_leaves_nothing(
    shown: Path, tmp_path: Path, out: str, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "there.npz").write_bytes(b"precious")
    told = export(shown, tmp_path / out, *words)
    assert told.exit_code == 2
    assert says in told.stderr
    assert left(tmp_path) == ["there.npz"]
    assert (tmp_path / "there.npz").read_bytes() == b"precious"


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    told = export(tmp_path, tmp_path / "a.npz")
    assert told.exit_code == 2
    assert "give a folder that `rtdecode run` or `rtdecode demo` has written" in told.stderr


def _interrupted(_session: object, out: Path, **_: Any) -> list[str]:
    out.write_bytes(b"half")
    raise KeyboardInterrupt


def _failed(_session: object, out: Path, **_: Any) -> list[str]:
    out.mkdir()
    (out / "half").write_bytes(b"half")
    raise ValueError("a mistake")


def _written(writer: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `writer` be that of `npz`."""
    row = Format("npz", "write_npz", ".npz")
    monkeypatch.setattr(command, "FORMATS", {"npz": row})
    monkeypatch.setattr(Format, "loaded", lambda _: writer)


@pytest.mark.parametrize(("writer", "code"), [(_interrupted, 130), (_failed, 1)])
def test_what_ends_early_leaves_nothing(
    shown: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: Callable[..., list[str]],
    code: int,
) -> None:
    _written(writer, monkeypatch)
    assert export(shown, tmp_path / "a.npz").exit_code == code
    assert left(tmp_path) == []


HALF = """
import signal, sys
from rtdecode.__main__ import main
from rtdecode.commands.export import Format

def half(_session, out, **_):
    out.write_bytes(b"half")
    print("half", flush=True)
    signal.pause()

Format.loaded = lambda _: half
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_half_of_the_file_leaves_nothing(
    shown: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = ("export", shown, "--to", "npz", "--out", tmp_path / "a.npz")
    with subprocess.Popen(
        [sys.executable, "-c", HALF, *map(str, words)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "half\n":
                break
        (unfinished,) = left(tmp_path)
        assert re.fullmatch(rf"a\.rtdecode-unfinished-\w+-{process.pid}-\w+\.npz", unfinished)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait() == 130
    assert f"{tmp_path / 'a.npz'} was not written" in rest
    assert left(tmp_path) == []


def test_an_option_that_a_format_does_not_take_is_refused(
    shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(_failed, monkeypatch)
    told = export(shown, tmp_path / "a.npz", "npz", "--end-s", "2")
    assert told.exit_code == 2
    assert "--end-s does not apply to --to npz" in told.stderr


def test_what_a_killed_process_has_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.rtdecode-unfinished").mkdir()
    (tmp_path / "a.rtdecode-unfinished" / "old").write_bytes(b"old")
    with new_output(tmp_path / "a") as unfinished:
        unfinished.mkdir()
        (unfinished / "new").write_bytes(b"new")
    assert left(tmp_path) == ["a"]
    assert left(tmp_path / "a") == ["new"]


@pytest.mark.parametrize("to", ["npz", "foxglove"])
def test_what_is_damaged_is_left_out_and_stated(shown: Path, tmp_path: Path, to: str) -> None:
    session = tmp_path / "damaged"
    shutil.copytree(shown, session)
    content = bytearray((session / "log.mcap").read_bytes())
    content[content.index(b"displayed_frame", len(content) // 2) + 300] ^= 1
    (session / "log.mcap").write_bytes(content)
    out = tmp_path / f"a{FORMATS[to].suffix}"
    told = export(session, out, to)
    assert told.exit_code == 0, told.output
    assert "is not complete: a damaged part of" in told.output.replace("\n", " ")
    if to == "npz":
        whole = RecordedSession(shown).displayed
        assert 0 < len(np.load(out)["displayed"]) < len(whole)


def test_a_whole_log_is_not_called_incomplete(shown: Path, tmp_path: Path) -> None:
    assert "not complete" not in export(shown, tmp_path / "a.npz").output


def test_a_second_export_to_the_same_file_is_refused_and_leaves_the_first_alone(
    shown: Path, tmp_path: Path
) -> None:
    with new_output(tmp_path / "a.npz") as first:
        first.write_bytes(b"first")
        told = export(shown, tmp_path / "a.npz")
        assert told.exit_code == 2
        assert "a.npz is being written by process" in told.stderr
        assert first.read_bytes() == b"first"
        assert export(shown, tmp_path / "b.npz").exit_code == 0
    assert (tmp_path / "a.npz").read_bytes() == b"first"
    assert left(tmp_path) == ["a.npz", "b.npz"]


def test_of_two_exports_that_began_together_the_second_replaces_nothing(tmp_path: Path) -> None:
    first, second = new_output(tmp_path / "a.npz"), new_output(tmp_path / "a.npz")
    one = first.__enter__()
    one.write_bytes(b"one")
    # as if the other one had not been there yet
    hidden = one.rename(tmp_path / "hidden")
    two = second.__enter__()
    hidden.rename(one)
    two.write_bytes(b"two")
    first.__exit__(None, None, None)
    with pytest.raises(OutputExistsError):
        second.__exit__(None, None, None)
    assert left(tmp_path) == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"one"


def test_what_another_host_writes_is_not_taken_for_abandoned(tmp_path: Path) -> None:
    (tmp_path / "a.rtdecode-unfinished-elsewhere-1-ab12.npz").write_bytes(b"half")
    with pytest.raises(OutputBusyError, match="process 1"), new_output(tmp_path / "a.npz"):
        pass
    assert left(tmp_path) == ["a.rtdecode-unfinished-elsewhere-1-ab12.npz"]


def test_an_estimate_of_the_size_is_close_and_that_of_a_part_is_smaller(
    shown: Path, tmp_path: Path
) -> None:
    session, out = RecordedSession(shown), tmp_path / "a.npz"
    assert export(shown, out).exit_code == 0
    whole = needed_bytes(session, to="npz", span=Span())
    assert 0.8 * out.stat().st_size < whole <= out.stat().st_size
    assert needed_bytes(session, to="npz", span=Span(0, 1.5)) < 0.6 * whole
    assert all(needed_bytes(session, to=to, span=Span()) > 0 for to in FORMATS)


def test_an_export_without_room_is_refused_before_it_begins(
    shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "free_bytes", lambda _: 1_000_000)
    told = export(shown, tmp_path / "a.npz")
    assert told.exit_code == 2
    assert re.search(
        r"a\.npz was not written: it needs about \d\.\d MB, and the disk mounted at \S+ has "
        r"1\.0 MB free: free some space there, or choose an --out on another disk",
        told.stderr.replace("\n", " "),
    )
    assert left(tmp_path) == []


def test_a_file_of_a_user_beside_the_output_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.part").mkdir()
    (tmp_path / "a.part" / "mine").write_bytes(b"mine")
    with new_output(tmp_path / "a") as unfinished:
        unfinished.mkdir()
    assert left(tmp_path / "a.part") == ["mine"]


def test_an_output_that_has_come_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    writing = new_output(tmp_path / "a.npz")
    writing.__enter__().write_bytes(b"new")
    (tmp_path / "a.npz").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        writing.__exit__(None, None, None)
    assert left(tmp_path) == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"mine"


def test_a_span_is_passed_on(shown: Path, tmp_path: Path) -> None:
    told = export(shown, tmp_path / "a.npz", "npz", "--start-s", "1", "--end-s", "2")
    assert told.exit_code == 0, told.output
    times_s = np.load(tmp_path / "a.npz")["displayed_t_s"]
    assert (times_s.min(), len(times_s)) == (pytest.approx(1, abs=0.04), 30)
