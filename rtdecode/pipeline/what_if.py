"""What a session would have been with other settings: its replays, compared in one table.

Duties: lay other settings over those of the session, refuse what a replay cannot change, and state
the scores of each replay beside those of the recorded run. How a replay is made is passed in.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtdecode.decode.fitted_twin import load_ensemble
from rtdecode.report.summary import SessionSummary, summarise
from rtdecode.runtime.config_comparison import compared
from rtdecode.runtime.config_file import config_yaml, read_config_over, sections_of
from rtdecode.schema.config import RunConfig
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import ConfigError
from rtdecode.session.layout import SessionLayout, named_session

REPLAYED = ("calcium", "decode", "evaluate")
"""Sections whose settings a replay uses."""
FIXED = ("frame_rate_hz", "acquisition", "stimulus", "control", "emit")
"""What the run had and a replay cannot change. All other settings have no effect on a replay."""
_METRICS = ("video_r", "frame_r", "ssim", "shift_ms")
_HEAD = (
    "settings", "video r", "difference", "frame r", "SSIM", "shift, ms", "lag", "steps",
    "late, %", "not decoded", "scored",
)  # fmt: skip
_ABSENT = "not set"
RECORDED = "as recorded"
UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings of one replay, and their name."""

    name: str
    config: RunConfig
    changed: tuple[str, ...] = ()
    """What differs from the settings of the session, each as a phrase."""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one run."""

    setting: Setting
    summary: SessionSummary
    session: Path | None = None
    """Folder of the replay, where it is kept."""

    def figures(self) -> dict[str, Any]:
        """The figures as plain values; None where a run has none."""
        decode, summary = self.setting.config.decode, self.summary
        return {
            **{metric: getattr(summary, metric) for metric in _METRICS},
            "lag_frames": summary.lag_frames,
            "steps": None if decode is None else decode.steps,
            "late_percent": summary.late_percent,
            "frames_not_decoded": summary.frames_not_decoded,
            "lost_messages": summary.lost_messages,
            "frames_scored": summary.frames_scored,
        }

    def difference(self, first: "Row") -> dict[str, float | None]:
        """Each metric minus that of `first`; None where one of them has none."""
        pairs = ((name, self.figures()[name], first.figures()[name]) for name in _METRICS)
        return {
            name: None if mine is None or other is None else mine - other
            for name, mine, other in pairs
        }


def other_setting(base: RunConfig, path: Path, *, name: str) -> Setting:
    """The settings of `base` with those in the file `path` laid over them.

    Raises
    ------
    MissingFileError, ConfigError
        If the file is no valid part of a config, or changes what a replay cannot change; it names
        each such setting with its line.
    """
    config = read_config_over(base, path)
    before, after = compared(base), compared(config)
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    lines = sections_of(path, what="config", remedy="")[1]
    if fixed := [key for key in changed if key.partition(".")[0] in FIXED]:
        raise ConfigError(path=path, mistakes=[_fixed(key, lines) for key in fixed])
    phrases = [
        f"{key} is {after.get(key, _ABSENT)}, and {before.get(key, _ABSENT)} in the session"
        for key in changed
        if key.partition(".")[0] in REPLAYED
    ]
    # of a path its last part is compared, and twins can have the same one
    twins = _twins(config)
    if twins != _twins(base) and not {"decode.twin", "decode.twins"} & set(changed):
        phrases.append(f"decode.twin is {', '.join(map(str, twins))}")
    return Setting(name, config, tuple(phrases))


def first_and_others(
    session: SessionLayout | None, base: RunConfig, configs: Sequence[Path]
) -> tuple[list[Row], list[Setting]]:
    """The row of the recorded run, where there is one, and the settings of the replays.

    A data set has no recorded run, and is replayed with unchanged settings first.

    Parameters
    ----------
    session
        The recorded session; None for a data set.
    base
        The settings of the session, or of the replay of the data set.
    configs
        Files with other settings. Raises as `other_setting` does, before anything is replayed.
    """
    named = zip(configs, names_of(configs), strict=True)
    others = [other_setting(base, path, name=name) for path, name in named]
    settings = [other.config.decode for other in others if other.config.decode is not None]
    for twins, by in {(one.twin_folders, one.rois_check) for one in settings if one.twin_folders}:
        load_ensemble(twins, rois_check=by)
    if session is None:
        return [], [Setting(UNCHANGED, base), *others]
    return [Row(Setting(RECORDED, base), summarise(session))], others


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, or where two have the same one the whole path."""
    stems = [path.stem for path in paths]
    return [
        stem if stems.count(stem) == 1 else str(path)
        for stem, path in zip(stems, paths, strict=True)
    ]


def replayed_rows(
    settings: Sequence[Setting],
    folder: Path,
    *,
    keeps: bool,
    replay: Callable[[Setting, SessionLayout], bool],
) -> Iterator[Row]:
    """The row of each replay, when it is done; none of one that was stopped, and of those after it.

    Parameters
    ----------
    folder
        Where the session of each replay is written, in a folder of its own.
    keeps
        Whether these sessions stay after the comparison.
    replay
        Writes the session; False where it was stopped.
    """
    for number, setting in enumerate(settings):
        into = named_session(folder / f"{number}_{setting.name.replace('/', '_')}")
        if not replay(setting, into):
            return
        yield Row(setting, summarise(into), into.folder if keeps else None)


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The comparison as text, its head first; differences are to the first row."""
    return [_HEAD, *(_cells(row, rows[0]) for row in rows)]


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write the comparison as JSON; FileWriteError where the disk refuses it."""
    content = [
        {
            "name": row.setting.name,
            "changed": list(row.setting.changed),
            **row.figures(),
            "difference": row.difference(rows[0]),
            "session": None if row.session is None else str(row.session),
            "config_yaml": config_yaml(row.setting.config),
        }
        for row in rows
    ]
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _cells(row: Row, first: Row) -> tuple[str, ...]:
    found, difference = row.figures(), row.difference(first)["video_r"]
    return (
        row.setting.name,
        _number(found["video_r"], ".3f"),
        "" if row is first else _number(difference, "+.3f"),
        _number(found["frame_r"], ".3f"),
        _number(found["ssim"], ".3f"),
        _number(found["shift_ms"], "+.0f"),
        _number(found["lag_frames"], "d"),
        _number(found["steps"], "d"),
        _number(found["late_percent"], ".1f"),
        _number(found["frames_not_decoded"], ",d"),
        _number(found["frames_scored"], ",d"),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _twins(config: RunConfig) -> tuple[Path, ...]:
    return () if config.decode is None else config.decode.twin_folders


def _fixed(key: str, lines: Mapping[tuple[str | int, ...], int]) -> str:
    names = tuple(key.split("."))
    known = [lines[names[:n]] for n in range(len(names), 0, -1) if names[:n] in lines]
    return (
        f"line {known[0] if known else 1}: {key}: a replay cannot change it, as it is a setting of "
        f"what was recorded: leave it out, or give the value of the session"
    )
