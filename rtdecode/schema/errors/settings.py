"""A config, an option or a file of a user that cannot be used as it is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.errors.families import BadInputError


class ConfigError(BadInputError):
    """All mistakes of a config file at once, each with its line."""

    def __init__(self, *, path: Path, mistakes: Sequence[str]) -> None:
        listed = "\n".join(f"  {mistake}" for mistake in mistakes)
        what = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path} has {what}:\n{listed}")


class MissingFileError(BadInputError):
    """A file that the config or the command line names is not there."""

    def __init__(self, *, what: str, path: Path, remedy: str) -> None:
        super().__init__(f"{what} {path} does not exist: {remedy}")


class UnreadableFileError(BadInputError):
    """A file is there but cannot be read as what it should be."""

    def __init__(self, *, what: str, path: Path, expected: str, got: str) -> None:
        super().__init__(f"{what} {path} cannot be used: expected {expected}, got {got}")


class ShapeError(BadInputError):
    """An array has another shape than it must have."""

    def __init__(self, name: str, *, expected: str, got: NDArray[np.generic]) -> None:
        super().__init__(f"{name} must have {expected}, got shape {got.shape}")


class SettingMissingError(BadInputError):
    """Something must be set that the file or rig does not say itself."""

    def __init__(self, *, setting: str, reason: str) -> None:
        super().__init__(f"set {setting}: {reason}")


class MissingOptionError(BadInputError):
    """A command needs an option that was not given."""

    def __init__(self, *, option: str, needed_for: str) -> None:
        super().__init__(f"{option} is needed for {needed_for}: give it")


class UnsuitedMethodError(BadInputError):
    """A way to reconstruct that does not fit the data."""

    def __init__(self, *, method: str, suited: Sequence[str], data: Path) -> None:
        super().__init__(
            f"{data} holds still images, for which there is no --method {method}: "
            f"choose {' or '.join(suited)}"
        )


class UnsuitedOptionError(BadInputError):
    """An option that means nothing for these data."""

    def __init__(self, *, option: str, data: Path, instead: str) -> None:
        super().__init__(f"{data} holds still images, for which {option} means nothing: {instead}")


class UnknownModelError(BadInputError):
    """A twin of this architecture cannot be trained here."""

    def __init__(self, *, model: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no training for model '{model}': choose {' or '.join(known)}")


class UnknownFormatError(BadInputError):
    """A format that nobody here can import."""

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
    """A process that nobody supervises does not know where to listen."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"{name} is empty: a process that is started by itself needs {name} in its config, "
            f"for example tcp://127.0.0.1:5701; `rtdecode run CONFIG` chooses addresses itself"
        )


class ExtraMissingError(BadInputError):
    """A package that only some rigs need is not installed."""

    def __init__(self, *, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: run `pip install 'rtdecode[{extra}]'`")


class FolderNotEmptyError(BadInputError):
    """What would be written might mix with what is there."""

    def __init__(self, *, folder: Path) -> None:
        super().__init__(f"{folder} is not empty: choose another folder, or clear it first")


class OtherSettingsError(BadInputError):
    """A result that is there already was measured with other settings."""

    def __init__(self, *, path: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"{path} was measured with another {', another '.join(differing)}: repeat its command "
            f"to go on with it, choose another --out, or move {path.parent} away to start anew"
        )


class DamagedResultError(BadInputError):
    """A result that is there already cannot be read, and nothing may overwrite it."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"{path} cannot be gone on with, as it is no whole result of a benchmark ({got}): "
            f"choose another --out, or delete the file to measure its rows again"
        )
