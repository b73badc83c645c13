"""The three families of errors, by exit code: a failure (1), bad input (2), data lost (3)."""


class RtdecodeError(Exception):
    """Something a person can mend; the message says what was got, expected, and what to do."""

    exit_code: int = 1


class BadInputError(RtdecodeError, ValueError):
    """A file, option or config that cannot be used as it is."""

    exit_code: int = 2


class DataLostError(RtdecodeError):
    """Data went missing beyond what the config permits."""

    exit_code: int = 3

    def __init__(self, *, lost: int, permitted: int, where: str) -> None:
        super().__init__(
            f"{lost} messages were lost ({where}), record.permitted_loss permits {permitted}: "
            f"the log holds a Gap for each hole; free a core or lower the scan rate"
        )
