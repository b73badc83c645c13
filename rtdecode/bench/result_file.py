"""JSON files with benchmark results, and all that is needed to interpret and repeat them."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtdecode.offline.job import without_nan
from rtdecode.runtime.run_info import git_revision
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import DamagedResultError, OtherSettingsError
from rtdecode.session.environment import environment_here, package_versions

_FOLDERS = re.compile(r"(?:^|(?<=[=:]))/(?!/)(?:[^/:=]+/)*(?=[^/:=])")
"""The folders of absolute paths in a value such as `NAME=DATA:TWIN`."""


def write_benchmark(path: Path, *, name: str, config: Mapping[str, Any], results: Any) -> None:
    """Write `results` with the command, commit, machine, versions, threads and `config` as JSON.

    The file is replaced atomically.

    Parameters
    ----------
    path
        File to write; its folder is created if needed.
    name
        What was measured, for example `wire`.
    config
        The settings of the benchmark.
    results
        Its figures, as plain JSON values.
    """
    content = {
        "benchmark": name,
        "command": [Path(sys.argv[0]).name, *map(_without_folders, sys.argv[1:])],
        "config": _as_written(config),
        "environment": asdict(environment_here()),
        "results": results,
    }
    text = json.dumps(content, indent=2)
    with written_atomically(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def read_results(path: Path, *, name: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that `write_benchmark` wrote for the same benchmark with the same `config`.

    Raises
    ------
    OtherSettingsError
        If benchmark or config differ; the message names what differs.
    DamagedResultError
        If the file was not written by `write_benchmark`, or is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {"benchmark": content["benchmark"], **content["config"]}
        rows = [dict(row) for row in content["results"]]
    except (ValueError, TypeError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DamagedResultError(path=path, got=got) from error
    wanted = {"benchmark": name, **_as_written(config)}
    differing = [
        f"{key} ({found.get(key)} there, {wanted.get(key)} here)"
        for key in wanted | found
        if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise OtherSettingsError(path=path, differing=differing)
    return rows


def _as_written(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _without_folders(value) for name, value in config.items()}


def _without_folders(value: Any) -> Any:
    """`value` with absolute paths reduced to names, as folders of this machine are irrelevant."""
    if isinstance(value, list | tuple):
        return [_without_folders(one) for one in value]
    return _FOLDERS.sub("", value) if isinstance(value, str) else value


def code_version() -> str:
    """Git revision and package versions; uncommitted changes are only marked `-dirty`."""
    versions = package_versions()
    names = ("rtdecode", "torch", "numpy", "scipy")
    return ", ".join([git_revision(), *(f"{name} {versions.get(name)}" for name in names)])


Row = dict[str, Any]

_MAY_BE_NONE = "lag_frames"
"""None means a whole clip in this field, and an undefined value (NaN) in all others."""


class KeptRows:
    """The rows of a benchmark, written to their file after each addition.

    Parameters
    ----------
    path, name, config
        As for `write_benchmark`; rows that `path` holds already are kept.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        As `read_results` does.
    """

    def __init__(self, path: Path, *, name: str, config: Mapping[str, Any]) -> None:
        self._path, self._name, self._config = path, name, config
        found = read_results(path, name=name, config=config) if path.is_file() else []
        self.rows: list[Row] = [_with_nan(row) for row in found]

    def find(self, **fields: Any) -> Row | None:
        """The row with these values, or None."""
        return next((row for row in self.rows if fields.items() <= row.items()), None)

    def add(self, row: Row) -> None:
        """Add `row` and write the file."""
        self.rows.append(row)
        results = without_nan(self.rows)
        write_benchmark(self._path, name=self._name, config=self._config, results=results)


def _with_nan(plain: Any) -> Any:
    """A row as it was before `without_nan`."""
    if isinstance(plain, dict):
        return {k: v if k == _MAY_BE_NONE else _with_nan(v) for k, v in plain.items()}
    if isinstance(plain, list):
        return [_with_nan(value) for value in plain]
    return float("nan") if plain is None else plain
