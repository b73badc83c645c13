"""Errors of configs, options and files that the user gives."""

import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors.families import BadInputError
from rtdecode.schema.file_content import content_of


class ConfigError(BadInputError):
    """All mistakes of a config file, each with its line."""

    def __init__(self, *, path: Path, mistakes: Sequence[str]) -> None:
        listed = "\n".join(f"  {mistake}" for mistake in mistakes)
        what = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path} has {what}:\n{listed}")


class MissingFileError(BadInputError):
    """A file in the config or on the command line does not exist, or is something else."""

    def __init__(self, *, what: str, path: Path, remedy: str, expected: str = "a file") -> None:
        super().__init__(f"{what} {path} {_kind_found(path, expected)}: {remedy}")


class SeveralMistakesError(BadInputError):
    """All mistakes of a run that were found before its start."""

    def __init__(self, *, mistakes: Sequence[str]) -> None:
        listed = "\n".join(f"  {mistake}" for mistake in mistakes)
        super().__init__(f"the run cannot start, {len(mistakes)} mistakes were found:\n{listed}")


def _kind_found(path: Path, expected: str) -> str:
    """What is at `path` instead; a pipe or device must not be opened, as that may wait."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"does not exist{_reason(path)}"
    except (OSError, ValueError) as error:
        return f"cannot be found ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISREG(mode):
        return "does not exist" if "file" in expected else f"is {_file(path)}, not {expected}"
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "named pipe"), (stat.S_ISSOCK, "socket"))
    found = next((name for is_kind, name in kinds if is_kind(mode)), "device")
    return f"is a {found}, not {expected}"


def _reason(path: Path) -> str:
    """Why there is nothing at `path`, where a folder on the way is a file or is not there."""
    parents = [one for one in path.parents if str(one) != "."]
    there = next((one for one in parents if one.exists()), None)
    if there is not None and there.is_file():
        return f", because {there} is {_file(there)}, not a folder"
    missing = [one for one in parents if not one.exists()]
    return f", because there is no folder {missing[-1]}" if missing else ""


def _file(path: Path) -> str:
    """`a file`, with its format where that is known."""
    try:
        content = content_of(path)
    except OSError:
        content = None
    return "a file" if content is None else f"a file in {content} format"


class UnreadableFileError(BadInputError):
    """A file does not have the expected content; `got` is what it has instead."""

    def __init__(self, *, what: str, path: Path, expected: str, got: str, remedy: str = "") -> None:
        self.got = got
        advice = f": {remedy}" if remedy else ""
        super().__init__(f"{what} {path} cannot be used: expected {expected}, got {got}{advice}")


class ShapeError(BadInputError):
    """An array does not have the expected shape."""

    def __init__(self, name: str, *, expected: str, got: NDArray[np.generic]) -> None:
        super().__init__(f"{name} must have {expected}, got shape {got.shape}")


class SettingMissingError(BadInputError):
    """A setting is needed that the data do not contain."""

    def __init__(self, *, setting: str, reason: str) -> None:
        super().__init__(f"set {setting}: {reason}")


class MissingOptionError(BadInputError):
    """A required option is missing."""

    def __init__(self, *, option: str, needed_for: str) -> None:
        super().__init__(f"{option} is needed for {needed_for}: add it to the command")


class UnsuitedMethodError(BadInputError):
    """A method of reconstruction that is not available for the data."""

    def __init__(self, *, method: str, suited: Sequence[str], data: Path) -> None:
        super().__init__(
            f"{data} contains still images, for which there is no --method {method}: "
            f"choose {' or '.join(suited)}"
        )


class UnsuitedOptionError(BadInputError):
    """An option that does not apply to the data."""

    def __init__(self, *, option: str, data: Path, instead: str) -> None:
        super().__init__(
            f"{data} contains still images, to which {option} does not apply: {instead}"
        )


class ReplayOptionError(BadInputError):
    """An option of `rtdecode replay` that does not apply to what is replayed."""

    def __init__(self, *, option: str, replayed: Path, instead: str) -> None:
        super().__init__(f"{option} does not apply to a replay of {replayed}: {instead}")


class UnknownModelError(BadInputError):
    """There is no training for this architecture."""

    def __init__(self, *, model: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no training for model '{model}': choose {' or '.join(known)}")


class UnknownValueError(BadInputError):
    """A value is none of those that a setting can have."""

    def __init__(self, *, name: str, got: object, known: Sequence[str]) -> None:
        super().__init__(f"{name} '{got}' is not known: give one of {', '.join(known)}")


class UnknownFormatError(BadInputError):
    """The format cannot be imported."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"--format {got} is not known: give one of {', '.join(known)}")


class NothingToScoreError(BadInputError):
    """The config names the process that scores reconstructions, but there will be none."""

    def __init__(self) -> None:
        super().__init__(
            "processes names evaluate, but with `decode: null` there are no reconstructions to "
            "score: remove evaluate from processes, or give the folder of a twin as decode.twin"
        )


class EndpointMissingError(BadInputError):
    """A process without supervisor has no address to bind or connect to."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"{name} is empty: a process that is started alone needs {name} in its config, for example "
            f"tcp://127.0.0.1:5701; `rtdecode run CONFIG` chooses the addresses automatically"
        )


class ExtraMissingError(BadInputError):
    """An optional package is not installed."""

    def __init__(self, *, package: str, extra: str) -> None:
        # cmd.exe of Windows knows double quotes only
        super().__init__(f'{package} is not installed: run `pip install "rtdecode[{extra}]"`')


class ClusterError(BadInputError):
    """The workers of a cluster cannot be reached or started."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(
            f"--cluster {name} has no workers ({reason}): expected local, slurm (with cores and "
            "memory of a job in ~/.config/dask/jobqueue.yaml), or the address of a Dask scheduler "
            "that has workers, such as tcp://HOST:8786"
        )


class BatchFileError(BadInputError):
    """A line of a batch is no command that can be run in one."""

    def __init__(self, *, path: Path, line: int, got: str, verbs: Sequence[str]) -> None:
        super().__init__(
            f"{path}, line {line}: expected a command that begins with rtdecode and one of "
            f"{', '.join(verbs)}, got {got!r}"
        )


class FolderNotEmptyError(BadInputError):
    """The output folder contains files, with which results could be confused."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(f"{folder} is not empty: choose another folder, or clear it first")


class OtherSettingsError(BadInputError):
    """An existing result was measured with other settings."""

    def __init__(self, *, path: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"{path} was measured with another {', another '.join(differing)}: repeat its command "
            f"to continue it, choose another --out, or move {path.parent} to start anew"
        )


class DamagedResultError(BadInputError):
    """An existing result cannot be read, and is not overwritten."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"{path} cannot be continued, as it is not a complete result of a benchmark ({got}): "
            f"choose another --out, or delete the file to measure its rows again"
        )
