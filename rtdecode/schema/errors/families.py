"""Families of errors by exit code: failure (1), bad input (2), data lost (3)."""

from typing import Any


class RtdecodeError(Exception):
    """An error with a cause that the user can remove; its message states how."""

    exit_code: int = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the sentence: an error of a worker process would be made anew from its facts."""
        return _unpickled, (type(self), *self.args), self.__dict__


class BadInputError(RtdecodeError, ValueError):
    """A file, option or config that cannot be used as it is."""

    exit_code: int = 2


class DataLostError(RtdecodeError):
    """More messages were lost than the config permits."""

    exit_code: int = 3

    def __init__(self, *, lost: int, permitted: int, where: str) -> None:
        super().__init__(
            f"{lost} messages were lost ({where}), and record.permitted_loss permits {permitted}: "
            f"the log has a gap message for each loss; leave a processor core free, stop other "
            f"programs, or raise record.permitted_loss"
        )


def _unpickled(kind: type[RtdecodeError], *args: object) -> RtdecodeError:
    return kind.__new__(kind, *args)
