"""Reading and writing of config files, for all commands and processes.

Nothing else opens a config file or passes a dict of settings on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ConfigError, MissingFileError

_Location = tuple[str | int, ...]


def read_config(path: Path) -> RunConfig:
    """Read the config in `path`; relative paths in it are relative to the file.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ConfigError
        If the file is not valid; it lists all mistakes, each with its line.
    """
    if not path.is_file():
        raise MissingFileError(
            what="config", path=path, remedy="see configs/ for examples to start from"
        )
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(path=path, mistakes=[f"not YAML: {error}"]) from error
    if not isinstance(content, dict | None):
        raise ConfigError(path=path, mistakes=["line 1: a map of sections is expected"])
    try:
        config = RunConfig.model_validate(content or {})
    except ValidationError as error:
        lines = _line_numbers(node) if node is not None else {}
        raise ConfigError(path=path, mistakes=_mistakes(error, lines)) from error
    return _anchored(config, path.resolve().parent)


def write_config(config: RunConfig, path: Path) -> None:
    """Write the resolved config so that `read_config` gives an equal one."""
    path.write_text(config_yaml(config), encoding="utf-8")


def config_yaml(config: RunConfig) -> str:
    """The resolved config as YAML text."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    return text


def _mistakes(error: ValidationError, lines: Mapping[_Location, int]) -> list[str]:
    found = []
    for mistake in error.errors():
        where = _without_tags(mistake["loc"], lines)
        line = next((lines[where[:n]] for n in range(len(where), -1, -1) if where[:n] in lines), 1)
        name = ".".join(map(str, where)) or "the run"
        got = (
            ""
            if mistake["type"] in ("missing", "value_error")
            else f", got {mistake['input']!r:.60}"
        )
        found.append(f"line {line}: {name}: {_plain(mistake['type'], mistake['msg'])}{got}")
    return found


def _plain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; see docs/configuration.md for the keys of this section"
    return message.removeprefix("Value error, ")


def _without_tags(loc: _Location, lines: Mapping[_Location, int]) -> _Location:
    """The location without the names of union members, which pydantic adds."""
    kept: _Location = ()
    for place, part in enumerate(loc):
        is_last = place == len(loc) - 1
        if (
            (*kept, part) in lines
            or is_last
            or not any(known[: len(kept)] == kept for known in lines)
        ):
            kept = (*kept, part)
    return kept


def _line_numbers(node: yaml.Node, where: _Location = ()) -> dict[_Location, int]:
    lines = {where: node.start_mark.line + 1}
    children: Sequence[tuple[str | int, yaml.Node, int]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(key.value, value, key.start_mark.line + 1) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(n, value, value.start_mark.line + 1) for n, value in enumerate(node.value)]
    for key, value, line in children:
        lines |= _line_numbers(value, (*where, key)) | {(*where, key): line}
    return lines


def _anchored(config: RunConfig, folder: Path) -> RunConfig:
    given = config.model_dump(exclude_unset=True)
    _anchor(given, folder)
    whole = RunConfig.model_validate(given).model_dump()
    # Defaults are relative to the working directory, so that no session lands beside the config.
    _anchor(whole, Path.cwd())
    return RunConfig.model_validate(whole)


def _anchor(section: dict[str, Any], folder: Path) -> None:
    for key, value in section.items():
        if isinstance(value, dict):
            _anchor(value, folder)
        elif isinstance(value, Path) and not value.is_absolute():
            section[key] = folder / value
