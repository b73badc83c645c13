"""A benchmark's result as a file: the figures, and everything one needs to judge or repeat them."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtdecode.session.environment import environment_here

_FOLDERS = re.compile(r"(?:^|(?<=[=:]))/(?!/)(?:[^/:=]+/)*(?=[^/:=])")
"""Folders of each path from the root in a value such as `NAME=DATA:TWIN`."""


def write_benchmark(path: Path, *, name: str, config: Mapping[str, Any], results: Any) -> None:
    """Write `results` with the command, commit, machine, versions, threads and `config` as JSON.

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
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "benchmark": name,
        "command": [Path(sys.argv[0]).name, *map(_without_folders, sys.argv[1:])],
        "config": {name: _without_folders(value) for name, value in config.items()},
        "environment": asdict(environment_here()),
        "results": results,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _without_folders(value: Any) -> Any:
    """The name alone of a path from the root: where it lies is this machine's own affair."""
    if isinstance(value, list | tuple):
        return [_without_folders(one) for one in value]
    return _FOLDERS.sub("", value) if isinstance(value, str) else value
