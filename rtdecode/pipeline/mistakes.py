"""The mistakes that the checks of a run find before its start, reported all at once."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from rtdecode.pipeline.named_paths import NamedPath
from rtdecode.schema.errors import BadInputError, SeveralMistakesError

P = ParamSpec("P")
T = TypeVar("T")


class Checks:
    """The mistakes found so far, and the paths among them, which need no further check."""

    def __init__(self) -> None:
        self._mistakes: list[BadInputError] = []
        self.missing: set[Path | None] = set()

    def tried(self, check: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """What `check` returns; None where it finds a mistake, which is kept."""
        try:
            return check(*given, **named)
        except BadInputError as mistake:
            self.found(mistake)
            return None

    def found(self, mistake: BadInputError) -> None:
        """Keep a mistake; one that two checks find is kept once."""
        if str(mistake) not in map(str, self._mistakes):
            self._mistakes.append(mistake)

    def path(self, named: NamedPath) -> None:
        """Check that there is such a file or folder."""
        if (mistake := named.mistake()) is not None:
            self.missing.add(named.path)
            self.found(mistake)

    def report(self) -> None:
        """Raise what was found."""
        if len(self._mistakes) > 1:
            raise SeveralMistakesError(mistakes=[str(mistake) for mistake in self._mistakes])
        for mistake in self._mistakes:
            raise mistake
