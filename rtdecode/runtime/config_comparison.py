"""What must be equal in the configs and programs of all hosts of a run, and what differs.

Folders differ between computers, so that of a path only the last component is compared; of a file
that both hosts have, and that one of them uses, the content too. What a host has for itself is left
out (`OWN`).

>>> from rtdecode.schema.config import RunConfig
>>> here, there = compared(RunConfig(seconds=60.0)), compared(RunConfig())
>>> differences(here, there, here="decoder", there="microscope")
['seconds is 60.0 on decoder and null on microscope']
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from rtdecode.runtime.codec import WIRE_VERSION
from rtdecode.schema.config import RunConfig

OWN = ("network.keys", "record.folder", "start")
"""Settings that each host has for itself: where its keys and its session folders lie; and what
`rtdecode run` alone uses."""
_CONTENT = "#content"
_MOST_BYTES = 16_000_000
_MOST_NAMED = 20
"""Differences that are named one by one."""
_LONGEST = 200
_ABSENT = "not set"


def versions_compared() -> dict[str, str]:
    """Versions that must be equal on all hosts."""
    return {"rtdecode": version("rtdecode"), "wire": str(WIRE_VERSION)}


def compared(config: RunConfig) -> dict[str, str]:
    """Value of each setting of `config` as JSON, by dotted name; of a path its last component."""
    settings = dict(_flat(config.model_dump(mode="python")))
    return {name: text for name, text in settings.items() if name not in OWN}


def contents(config: RunConfig, paths: Iterable[Path] | None = None) -> dict[str, str]:
    """SHA-256 of the files that `config` names and that are here, by `NAME#content`.

    Parameters
    ----------
    paths
        Only of these files; by default of all.
    """
    wanted = None if paths is None else {path.resolve() for path in paths}
    found = {}
    for name, path in _paths(config.model_dump(mode="python")):
        if (wanted is None or path.resolve() in wanted) and _is_small_file(path):
            found[name + _CONTENT] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(
    ours: Mapping[str, str], theirs: Mapping[str, str], *, here: str, there: str
) -> list[str]:
    """A phrase for each value that differs between the hosts `here` and `there`; at most 20."""
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        if name.endswith(_CONTENT):
            if ours.get(name, "") != theirs.get(name, "") and name in ours and name in theirs:
                found.append(f"{name.removesuffix(_CONTENT)} has another content on {there}")
        elif ours.get(name) != theirs.get(name):
            mine, other = (_shortened(one.get(name, _ABSENT)) for one in (ours, theirs))
            found.append(f"{name} is {mine} on {here} and {other} on {there}")
    more = len(found) - _MOST_NAMED
    return found[:_MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _flat(section: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", json.dumps(value, default=_as_json, ensure_ascii=False)


def _as_json(value: Any) -> Any:
    """A value that JSON does not have: of a path its last component."""
    if isinstance(value, PurePath):
        return value.name
    return value.value if isinstance(value, Enum) else str(value)


def _paths(section: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Path]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{where}{key}.")
        elif isinstance(value, Path) and not f"{where}{key}".startswith((*OWN, "view.")):
            yield f"{where}{key}", value


def _is_small_file(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _MOST_BYTES
    except OSError:
        return False
