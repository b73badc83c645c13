"""Options of `rtdecode replay` and their values."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtdecode.session.injected_faults import InjectedFaults


class InputName(StrEnum):
    """Activity of a data set that is decoded."""

    RESPONSES = "responses"
    TRACES = "traces"


Recorded = Annotated[
    Path,
    typer.Argument(
        metavar="SESSION|DATA",
        help="session folder; or a data set: folder in the layout of Sensorium 2023, NWB file",
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        help="factor of the recorded speed; as fast as possible by default. A data set is then "
        "replayed by all processes of a run, with the live page",
        min=0.01,
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="folder of the new session; beside SESSION by default")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(help="YAML or Python file of a policy, which decides again; nothing is decoded"),
]
Twin = Annotated[Path | None, typer.Option(help="data set: folder of its twin")]
Tier = Annotated[str | None, typer.Option(help="data set: tier of the trials; test by default")]
Trials = Annotated[
    str | None, typer.Option(help="data set: numbers of the trials, of any tier, as 3,5-7")
]
Mask = Annotated[
    Path | None,
    typer.Option(help="data set: screen mask; that in the folder of the twin by default"),
]
Source = Annotated[
    InputName | None,
    typer.Option("--input", help="data set: activity that is decoded; responses by default"),
]
Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        help="YAML with other settings, as decode: {lag_frames: 4}; repeat the option to compare "
        "several with the recorded run in one table",
    ),
]
Json = Annotated[
    Path | None,
    typer.Option("--json", help="write the summary, or the table, to this file", dir_okay=False),
]
Drop = Annotated[
    str,
    typer.Option(
        metavar="PERCENT",
        help="lose this part of the scans, or of the activity in their place, on purpose: 1%",
    ),
]
Jitter = Annotated[
    str,
    typer.Option(metavar="TIME", help="delay each arrival by up to this time on purpose: 20ms"),
]
Seed = Annotated[int, typer.Option(help="seed of --drop and --jitter", min=0)]


_LONGEST_JITTER_MS = 60_000
_MOST_TRIALS = 100_000


def percent(text: str) -> float:
    """A fraction from a percentage such as `1%`."""
    number = _number(text.removesuffix("%"), expected="a percentage such as 1%")
    if not (text.endswith("%") and 0 <= number <= 100):  # noqa: PLR2004
        raise typer.BadParameter(f"'{text}': a percentage such as 1% is expected")
    return number / 100


def milliseconds(text: str) -> float:
    """Milliseconds from a time such as `20ms`."""
    expected = f"a time such as 20ms, at most {_LONGEST_JITTER_MS}ms,"
    number = _number(text.removesuffix("ms"), expected=expected)
    if not (text.endswith("ms") and 0 <= number <= _LONGEST_JITTER_MS):
        raise typer.BadParameter(f"'{text}': {expected} is expected")
    return number


def trial_numbers(text: str) -> tuple[int, ...]:
    """Numbers from a list such as `3,5-7`, each once, in the given order."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise typer.BadParameter(f"'{text}': numbers such as 3,5-7 are expected")
        n = int(last or first) - int(first) + 1
        if not 0 < n <= _MOST_TRIALS:
            raise typer.BadParameter(
                f"'{text}': {part.strip()} is {n:,} numbers, 1 to {_MOST_TRIALS:,} are expected"
            )
        numbers |= dict.fromkeys(range(int(first), int(first) + n))
    return tuple(numbers)


def _number(text: str, *, expected: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}': {expected} is expected") from None


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of every replay."""

    speed: float | None
    out: Path | None
    json_file: Path | None
    drop: float
    jitter_ms: float
    seed: int

    def faults(self) -> InjectedFaults:
        """The faults of one replay; each has its own, with the same seed."""
        return InjectedFaults(drop=self.drop, jitter_ms=self.jitter_ms, seed=self.seed)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """The options that only a data set has, None where they are not given."""

    twin: Path | None
    tier: str | None
    trials: tuple[int, ...] | None
    mask: Path | None
    source: InputName | None

    def given(self) -> Iterator[str]:
        """Names of those that are given."""
        names = ("--twin", "--tier", "--trials", "--mask", "--input")
        values = (self.twin, self.tier, self.trials, self.mask, self.source)
        return (name for name, value in zip(names, values, strict=True) if value is not None)
