"""`rtdecode export`: a recorded session as a file of other programs.

A format is one row of `FORMATS`. Its writer, `write_NAME(session, out, *, progress)` in a module of
`rtdecode.export`, is imported when it is asked for. It writes to `out`, a new path that gets its
final name afterwards, calls `progress(done, total)` meanwhile, and gives sentences on what the file
lacks.
"""

import errno
import importlib
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.console import Console

from rtdecode.commands.console import WorkLine, errors_reported, print_plain, progress_bar
from rtdecode.runtime.platform import STOP_SIGNALS
from rtdecode.schema.atomic_file import new_output
from rtdecode.schema.disk import free_bytes, mount_point
from rtdecode.schema.errors import (
    FileWriteError,
    OutputExistsError,
    OutputInLogError,
    OutputSpaceError,
    OutputSuffixError,
    UnknownExportError,
    UnreadableFileError,
    UnsuitedExportOptionError,
)

app = typer.Typer()

_MB = 1_000_000
_KB = 1_000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_SPAN, _MASK = "span", "mask"
"""Options that a writer can take."""
_OPTIONS = MappingProxyType({"--start-s": _SPAN, "--end-s": _SPAN, "--mask": _MASK})


@dataclass(frozen=True, slots=True)
class Format:
    """One row: where the writer of a format is, and what it takes."""

    module: str
    """Its module in `rtdecode.export`."""
    writer: str
    suffix: str
    """Ending of its files; empty for a folder."""
    options: frozenset[str] = frozenset()
    least_share: float = 0.0
    """Part of the estimated size without which an export is not begun; 1 where it is exact."""

    def loaded(self) -> Callable[..., list[str]]:
        """The writer. Raises ExtraMissingError where it needs a package that is absent."""
        module = importlib.import_module(f"rtdecode.export.{self.module}")
        writer: Callable[..., list[str]] = getattr(module, self.writer)
        return writer


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "foxglove": Format("foxglove", "write_foxglove", ".mcap", frozenset({_SPAN})),
        "mp4": Format("mp4", "write_mp4", ".mp4", frozenset({_SPAN, _MASK})),
        "npz": Format("npz", "write_npz", ".npz", frozenset({_SPAN}), least_share=1.0),
        "nwb": Format("nwb", "write_nwb", ".nwb", least_share=0.3),
        "sensorium": Format("sensorium", "write_sensorium", "", least_share=0.5),
    }
)
"""Formats by the name that `--to` takes."""


@app.command(epilog="Example: rtdecode export sessions/2026-11-24_10-15-00 --to npz --out day1.npz")
def export(
    session: Annotated[Path, typer.Argument(metavar="SESSION", help="session folder")],
    *,
    to: Annotated[str, typer.Option(help=f"format: {', '.join(FORMATS)}")],
    out: Annotated[Path, typer.Option(help="new file, or new folder of a format in several files")],
    start_s: Annotated[
        float | None, typer.Option(help="first second of the session that is written", min=0)
    ] = None,
    end_s: Annotated[
        float | None, typer.Option(help="second of the session at which the file ends", min=0)
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="draw the outline of the screen mask into the video")
    ] = False,
) -> None:
    """Write SESSION as one file for other programs; the session is unchanged."""
    console = Console()
    with errors_reported():
        chosen = _format(to)
        given = {"--start-s": start_s is not None, "--end-s": end_s is not None, "--mask": mask}
        _require_suited(given, to)
        _require_new(out, to, chosen)

        from rtdecode.export.span import Span, needed_bytes
        from rtdecode.session.damage import incomplete_log
        from rtdecode.session.recorded import RecordedSession

        print_plain(console, "reading the log")
        recorded = RecordedSession(session, checked=True)
        options: dict[str, Any] = {"mask": True} if mask else {}
        if given["--start-s"] or given["--end-s"]:
            options["span"] = Span(start_s or 0.0, math.inf if end_s is None else end_s)
        needed = needed_bytes(recorded, to=to, span=options.get("span", Span()))
        zero_ns = recorded.zero_ns
        cut = [] if recorded.complete else [incomplete_log(recorded.damage, zero_ns=zero_ns)]
        write = partial(chosen.loaded(), **options)
        room = _room_stated(out, needed, least=chosen.least_share * needed)
        try:
            with room, _interrupted_by_signals(), new_output(out) as unfinished:
                lacks = _written(partial(write, recorded, unfinished), out.name, console)
        except KeyboardInterrupt:
            print_plain(console, f"interrupted: {out} was not written")
            raise
        print_plain(console, " ".join([f"{out} was written ({_size(out)}).", *cut, *lacks]))


@contextmanager
def _room_stated(out: Path, needed: float, *, least: float) -> Iterator[None]:
    """Block that writes about `needed` bytes to `out`.

    Raises OutputSpaceError where its disk has less than `least`, or becomes full.
    """
    if free_bytes(out) < least:
        raise _without_room(out, needed)
    try:
        yield
    except FileWriteError as error:
        if isinstance(cause := error.__cause__, OSError) and cause.errno in _NO_ROOM:
            raise _without_room(out, needed) from error
        raise


def _without_room(out: Path, needed: float) -> OutputSpaceError:
    free_mb, needed_mb = free_bytes(out) / _MB, needed / _MB
    return OutputSpaceError(out=out, needed_mb=needed_mb, mount=mount_point(out), free_mb=free_mb)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let a signal that asks the process to end interrupt it as Ctrl-C does, so that it cleans up.

    SIGINT is left as it is: a shell ignores it for a process in its background.
    """
    others = [number for number in STOP_SIGNALS if number != signal.SIGINT]
    before = [signal.signal(number, signal.default_int_handler) for number in others]
    try:
        yield
    finally:
        for number, handler in zip(others, before, strict=True):
            signal.signal(number, handler)


def _written(write: Callable[..., list[str]], name: str, console: Console) -> list[str]:
    """What `write` gives, while its progress is shown."""
    with progress_bar(console) as progress:
        line = WorkLine(progress, console)
        line.start_part(f"writing {name}")
        return write(progress=line.count)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise UnknownExportError(got=name, known=[*FORMATS])
    return FORMATS[name]


def _require_suited(given: Mapping[str, bool], to: str) -> None:
    """Raise UnsuitedExportOptionError for an option that the format does not take."""
    for option in (option for option, is_given in given.items() if is_given):
        needed = _OPTIONS[option]
        if needed not in FORMATS[to].options:
            suited = [name for name, row in FORMATS.items() if needed in row.options]
            raise UnsuitedExportOptionError(option=option, to=to, suited=suited)


def _require_new(out: Path, to: str, chosen: Format) -> None:
    """Refuse an output that exists, cannot be made, has a wrong ending, or is taken for a log."""
    if chosen.suffix and out.suffix.lower() != chosen.suffix:
        raise OutputSuffixError(out=out, to=to, suffix=chosen.suffix)
    if out.exists() or out.is_symlink():
        raise OutputExistsError(out=out)
    if out.suffix == ".mcap" and out.name.startswith("log") and (out.parent / "log.mcap").exists():
        raise OutputInLogError(out=out)
    existing = next(one for one in out.absolute().parents if one.exists())
    if not existing.is_dir():
        raise UnreadableFileError(
            what="--out", path=out, expected="a path in a folder", got=f"the file {existing} in it"
        )


def _size(out: Path) -> str:
    files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    return f"{size / _MB:,.1f} MB" if size >= _MB else f"{size / _KB:,.0f} kB"
