"""Tables of the displayed trials: in the columns of PsychoPy, and as events of BIDS.

`trials.csv` has the columns of the wide text file of PsychoPy's ExperimentHandler with a
TrialHandler2 for each block, so that scripts for such files read it. `events.tsv` and `events.json`
are those of the Brain Imaging Data Structure 1.10, "Events".
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rtdecode.schema.config.stimuli import Stimulus
from rtdecode.schema.control import Trial
from rtdecode.schema.disk import write_errors_named

CSV, TSV, SIDECAR = "trials.csv", "events.tsv", "events.json"
_NS_PER_S = 1e9
_LOOP = ("thisN", "thisTrialN", "thisRepN")
_OF_BLOCK = ("thisRepN", "thisTrialN", "thisN", "thisIndex")
_UNITS = {"_deg": "deg", "_cpd": "1/deg", "_hz": "Hz", "_s": "s"}
_EVENT_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "onset": {"Description": "Flip of the first frame, since the start of the log", "Units": "s"},
    "duration": {"Description": "Until the flip of the first frame after it", "Units": "s"},
    "trial_type": {"Description": "Name of the stimulus in the protocol, or of the clip"},
    "block": {"Description": "Block of the protocol"},
    "trial": {"Description": "Number of the trial, from 0"},
    "n_frames": {"Description": "Displayed frames of the movie"},
    "cause": {"Description": "Action of the controller that asked for it; -1 for the protocol"},
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A trial with its place among those of its block, as PsychoPy counts them."""

    trial: Trial
    place: int
    condition: int
    """Condition within the block, in the order of first display."""
    conditions: int
    """Number of conditions of the block."""

    def counts(self) -> dict[str, int]:
        return {
            "thisRepN": self.place // self.conditions,
            "thisTrialN": self.place % self.conditions,
            "thisN": self.place,
            "thisIndex": self.condition,
        }


def write_trial_tables(
    folder: Path, trials: Sequence[Trial], *, first_ns: int, session: str
) -> None:
    """Write `trials.csv`, `events.tsv` and `events.json`.

    Parameters
    ----------
    trials
        In the order of their display.
    first_ns
        Start of the log, from which times are counted.
    session
        Name of the session, a column of `trials.csv`.

    Raises
    ------
    FileWriteError
        If the disk refuses a file.
    """
    texts = {
        # the byte order mark is PsychoPy's
        CSV: "\ufeff" + wide_csv(trials, first_ns=first_ns, session=session),
        TSV: events_tsv(trials, first_ns=first_ns),
        SIDECAR: json.dumps(events_sidecar(trials), indent=2) + "\n",
    }
    for name, text in texts.items():
        with write_errors_named(folder / name):
            (folder / name).write_text(text, encoding="utf-8", newline="")


def wide_csv(trials: Sequence[Trial], *, first_ns: int, session: str) -> str:
    """The trials as PsychoPy writes them: a line a trial, each value followed by a comma.

    Parameters come first, then the counts of the loop of each block, then times in s and what else
    is known. A block whose trials are not all in the log counts only those that are.
    """
    rows = _numbered(trials)
    blocks = _unique(trial.block for trial in trials)
    data = ("thisRow.t", "notes", "stimulus.started", "stimulus.stopped", "stimulus", "block")
    names = [
        *_unique(name for trial in trials for name in (*trial.parameters, *_LOOP)),
        *(f"{block}.{name}" for block in blocks for name in _OF_BLOCK),
        *(*data, "trial", "n_frames", "cause", "session"),
    ]
    lines = [names]
    for row in rows:
        values = _wide_values(row, first_ns=first_ns) | {"session": session}
        lines.append([str(values.get(name, "")) for name in names])
    return "".join("".join(f"{_quoted(value)}," for value in line) + "\n" for line in lines)


def _wide_values(row: _Row, *, first_ns: int) -> dict[str, Any]:
    trial, counts = row.trial, row.counts()
    started = _seconds(trial.t_start_ns - first_ns)
    return {
        **trial.parameters,
        **{name: counts[name] for name in _LOOP},
        **{f"{trial.block}.{name}": counts[name] for name in _OF_BLOCK},
        "thisRow.t": started,
        "stimulus.started": started,
        "stimulus.stopped": _seconds(trial.t_end_ns - first_ns),
        "stimulus": trial.stimulus,
        "block": trial.block,
        "trial": trial.number,
        "n_frames": trial.n_frames,
        "cause": trial.cause,
    }


def _numbered(trials: Sequence[Trial]) -> list[_Row]:
    conditions: dict[str, list[object]] = {}
    for trial in trials:
        known = conditions.setdefault(trial.block, [])
        if _condition(trial) not in known:
            known.append(_condition(trial))
    places, rows = dict.fromkeys(conditions, 0), []
    for trial in trials:
        known, place = conditions[trial.block], places[trial.block]
        rows.append(_Row(trial, place, known.index(_condition(trial)), len(known)))
        places[trial.block] += 1
    return rows


def _condition(trial: Trial) -> object:
    return trial.stimulus, tuple(trial.parameters.items())


def events_tsv(trials: Sequence[Trial], *, first_ns: int) -> str:
    """The trials as a table of BIDS: tabs, and `n/a` where a stimulus has no such parameter."""
    parameters = _unique(name for trial in trials for name in trial.parameters)
    lines = [[*_EVENT_COLUMNS, *parameters]]
    for trial in trials:
        start_s = _seconds(trial.t_start_ns - first_ns)
        duration_s = _seconds(trial.t_end_ns - trial.t_start_ns)
        known = [start_s, duration_s, trial.stimulus, trial.block]
        counts = [trial.number, trial.n_frames, trial.cause]
        own = [trial.parameters.get(name, "n/a") for name in parameters]
        lines.append([_without_tabs(value) for value in [*known, *counts, *own]])
    return "".join("\t".join(line) + "\n" for line in lines)


def events_sidecar(trials: Sequence[Trial]) -> dict[str, Any]:
    """Description and unit of each column of `events.tsv`."""
    described = {
        name: field.description
        for model in get_args(Stimulus)
        for name, field in model.model_fields.items()
    }
    columns: dict[str, Any] = {name: dict(column) for name, column in _EVENT_COLUMNS.items()}
    for name in _unique(name for trial in trials for name in trial.parameters):
        text = " ".join((described.get(name) or name).split())
        unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
        columns[name] = {"Description": text} | ({} if unit is None else {"Units": unit})
    return columns


def _seconds(t_ns: int) -> float:
    """Seconds to the microsecond, as precise as flips are measured."""
    return round(t_ns / _NS_PER_S, 6)


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _quoted(value: str) -> str:
    if any(special in value for special in ',\n"'):
        doubled = value.replace('"', '""')
        return f'"{doubled}"'
    return value


def _without_tabs(value: object) -> str:
    return " ".join(str(value).split()) or "n/a"
