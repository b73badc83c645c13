"""A benchmark's result as a file: the figures, and everything one needs to judge or repeat them."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtdecode.runtime.whole_file import written_whole
from rtdecode.schema.errors import DamagedResultError, OtherSettingsError
from rtdecode.session.environment import environment_here

_FOLDERS = re.compile(r"(?:^|(?<=[=:]))/(?!/)(?:[^/:=]+/)*(?=[^/:=])")
"""Folders of each path from the root in a value such as `NAME=DATA:TWIN`."""


def write_benchmark(path: Path, *, name: str, config: Mapping[str, Any], results: Any) -> None:
    """Write `results` with the command, commit, machine, versions, threads and `config` as JSON.

    At any moment the file holds these results or those before.

    Parameters
    ----------
    path
        File to write; its folder is made if it is not there.
    name
        What was measured, for example `wire`.
    config
        The settings of the benchmark.
    results
        Its figures, as plain values.
    """
    content = {
        "benchmark": name,
        "command": [Path(sys.argv[0]).name, *map(_without_folders, sys.argv[1:])],
        "config": _as_written(config),
        "environment": asdict(environment_here()),
        "results": results,
    }
    text = json.dumps(content, indent=2)
    with written_whole(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")


def read_results(path: Path, *, name: str, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that `write_benchmark` wrote for the same benchmark with the same `config`.

    Raises
    ------
    OtherSettingsError
        If the benchmark or its config was another, naming what differs.
    DamagedResultError
        If the file is not what `write_benchmark` wrote.
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
    """The name alone of a path from the root: where it lies is this machine's own affair."""
    if isinstance(value, list | tuple):
        return [_without_folders(one) for one in value]
    return _FOLDERS.sub("", value) if isinstance(value, str) else value
