"""Checks of the options of a policy, each with a sentence that names the option."""

import math
from collections.abc import Sequence

from rtdecode.schema.errors import PolicyOptionValueError


class OptionCheck:
    """Checks options of the policy `name`.

    >>> OptionCheck("threshold").number("above", 0.5, low=-1, high=1)
    0.5

    Each check raises PolicyOptionValueError, which states the option, what was got and what is
    expected.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def number(
        self, option: str, value: object, *, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """`value` as a finite number from `low` to `high`, both included."""
        expected = "a number" + _range(low, high)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(option, value, expected=expected)
        if not (math.isfinite(value) and low <= value <= high):
            raise self.wrong(option, value, expected=expected)
        return float(value)

    def positive(self, option: str, value: object) -> float:
        """`value` as a finite number above 0."""
        number = self.number(option, value)
        if number <= 0:
            raise self.wrong(option, value, expected="a number above 0")
        return number

    def count(self, option: str, value: object, *, low: int = 1) -> int:
        """`value` as a whole number of at least `low`."""
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.wrong(option, value, expected=f"a whole number of at least {low}")
        return value

    def text(self, option: str, value: object) -> str:
        """`value` as a text that is not empty."""
        if not isinstance(value, str) or not value:
            raise self.wrong(option, value, expected="a text")
        return value

    def one_of(self, option: str, value: object, allowed: Sequence[str]) -> str:
        """`value` as one of the texts `allowed`."""
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(option, value, expected=f"one of {', '.join(allowed) or 'none'}")
        return value

    def clips(
        self, option: str, value: object, known: Sequence[str], *, at_least: int = 1
    ) -> tuple[str, ...]:
        """The clips that `value` lists; all that are `known` where it is None."""
        named = known if value is None else value
        if isinstance(named, str) or not isinstance(named, Sequence):
            raise self.wrong(option, value, expected="a list of names of clips")
        chosen = tuple(self.one_of(option, one, known) for one in named)
        if len(set(chosen)) < max(at_least, len(chosen)):
            expected = f"at least {at_least} different clips"
            raise self.wrong(option, list(chosen), expected=expected)
        return chosen

    def wrong(self, option: str, got: object, *, expected: str) -> PolicyOptionValueError:
        """The error for an option whose value cannot be used."""
        return PolicyOptionValueError(policy=self._name, option=option, got=got, expected=expected)


def _range(low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f" from {low:g} to {high:g}"
    if math.isfinite(low):
        return f" of at least {low:g}"
    return f" of at most {high:g}" if math.isfinite(high) else ""
