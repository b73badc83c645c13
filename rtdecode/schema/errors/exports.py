"""Errors of `rtdecode export`."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError


class UnknownExportError(BadInputError):
    """There is no export of this name."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"--to {got} is not known: give one of {', '.join(known)}")


class OutputSuffixError(BadInputError):
    """The name of the output does not end as files of its format do."""

    def __init__(self, *, out: Path, to: str, suffix: str) -> None:
        got = f"ends with {out.suffix}" if out.suffix else "has no ending"
        super().__init__(
            f"--out {out} {got}, a file of --to {to} ends with {suffix}: "
            f"give --out {out.with_suffix(suffix)}, or another --to"
        )


class OutputExistsError(BadInputError):
    """The output exists, and is never overwritten."""

    def __init__(self, *, out: Path) -> None:
        super().__init__(f"{out} exists already and is not overwritten: choose another --out")


class OutputPathError(BadInputError):
    """A file is where an output needs a folder, or the other way round."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"{path} cannot be written ({got}): a file is where a folder is needed, or a folder "
            f"where a file is; choose another path"
        )


class OutputBusyError(BadInputError):
    """Another process is writing the same output."""

    def __init__(self, *, out: Path, process: int) -> None:
        super().__init__(
            f"{out} is being written by process {process}: wait for its end, or choose another --out"
        )


class OutputSpaceError(BadInputError):
    """The disk has too little free space for an output."""

    def __init__(self, *, out: Path, needed_mb: float, mount: Path, free_mb: float) -> None:
        super().__init__(
            f"{out} was not written: it needs about {needed_mb:,.1f} MB, and the disk mounted at "
            f"{mount} has {free_mb:,.1f} MB free: free some space there, or choose an --out on "
            f"another disk"
        )


class OutputInLogError(BadInputError):
    """The output would be taken for a part of the log of a session."""

    def __init__(self, *, out: Path) -> None:
        super().__init__(
            f"{out} would be taken for a part of the log of the session beside it: choose a name "
            f"that does not start with 'log', or another folder"
        )


class UnsuitedExportOptionError(BadInputError):
    """An option that an export does not take."""

    def __init__(self, *, option: str, to: str, suited: Sequence[str]) -> None:
        super().__init__(
            f"{option} does not apply to --to {to}: leave it out, or export to {' or '.join(suited)}"
        )


class TimeSpanError(BadInputError):
    """The span of time that was asked for has nothing of the session."""

    def __init__(self, *, start_s: float, end_s: float, lasts_s: float) -> None:
        super().__init__(
            f"nothing was displayed or decoded from {start_s:g} to {end_s:g} s: the session lasts "
            f"{lasts_s:.1f} s; give --start-s and --end-s within it, in seconds since its first message"
        )


class NoScreenMaskError(BadInputError):
    """A session has no screen mask whose outline could be drawn."""

    def __init__(self, *, session: Path) -> None:
        super().__init__(
            f"session {session} has no screen mask (evaluate.screen_mask in its config.yaml): "
            f"leave out --mask, or make a mask with `rtdecode fit mask` and name it there"
        )
