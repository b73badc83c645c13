"""Reading of stimulus protocols, from YAML and from Python, for check and for the stimulus.

A YAML file has the keys of `rtdecode.schema.config.protocol.Protocol`. A Python file defines the
list `protocol` of the same blocks, as values of `Block` or as maps, and may define `seed`. Paths in
both are relative to the file.
"""

import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import extract_tb, format_exception_only
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from rtdecode.runtime.config_file import sections_of, validated
from rtdecode.schema.config.protocol import Protocol
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import ConfigError, ProtocolCodeError
from rtdecode.schema.protocol_limits import Limits

_WHAT = "stimulus.protocol"
_REMEDY = "give a protocol, as configs/protocol_gratings.yaml, or leave it out to display clips"
_SUFFIXES = (".yaml", ".yml", ".py")


def read_protocol(path: Path, limits: Limits) -> Protocol:
    """The protocol in the file `path`, with absolute paths, which screen and rate can display.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ConfigError
        If its content is not valid, a file in it is missing, or a stimulus is beyond the `limits`;
        it lists all mistakes, in YAML each with its line.
    ProtocolCodeError
        If a Python file raises an error.
    """
    if path.suffix not in _SUFFIXES:
        got = f"it ends with '{path.suffix}': give a file that ends with .yaml or .py"
        raise ConfigError(path=path, mistakes=[got])
    is_code = path.suffix == ".py" and path.is_file()
    content, lines = (
        (_python_content(path), {}) if is_code else sections_of(path, what=_WHAT, remedy=_REMEDY)
    )
    try:
        anchored = _anchored(content, path.resolve().parent)
    except RecursionError as error:
        got = "`protocol` contains itself, or is nested too deeply: list blocks of stimuli"
        raise ConfigError(path=path, mistakes=[got]) from error
    protocol = validated(Protocol, anchored, path, lines)
    if mistakes := limits.protocol_mistakes(protocol):
        numbered = (
            (f"line {lines[where]}: " if where in lines else "") + text
            for text, where in mistakes.items()
        )
        raise ConfigError(path=path, mistakes=list(numbered))
    return protocol


def write_protocol(protocol: Protocol, path: Path) -> None:
    """Write `protocol` as YAML, so that `read_protocol` gives an equal one; FileWriteError."""
    content = protocol.model_dump(mode="json", exclude_defaults=True)
    for block, dumped in zip(protocol.blocks, content["blocks"], strict=True):
        # the kind is a default, too
        named = zip(block.stimuli, dumped["stimuli"], strict=True)
        dumped["stimuli"] = [{"kind": one.kind} | given for one, given in named]
    with write_errors_named(path):
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _python_content(path: Path) -> dict[str, Any]:
    """What a Python file defines, as maps and lists."""
    try:
        defined = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise ProtocolCodeError(path=path, line=_line(error, path), got=_got(error)) from error
    blocks = defined.get("protocol")
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        got = "nothing" if blocks is None else f"a {type(blocks).__name__}"
        raise ConfigError(path=path, mistakes=[f"`protocol` must be a list of blocks, got {got}"])
    return {"seed": defined.get("seed", 0), "blocks": blocks}


def _line(error: BaseException, path: Path) -> int:
    """Line of the file in which `error` was raised; 0 if it was elsewhere."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    lines = [one.lineno for one in extract_tb(error.__traceback__) if one.filename == str(path)]
    return (lines[-1] if lines else 0) or 0


def _got(error: BaseException) -> str:
    """The error in one line; of several mistakes in a value the first."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join([error.title, *map(str, first["loc"])])
        return f"{where}: {first['msg'].removeprefix('Value error, ')}, got {first['input']!r:.60}"
    # an exception may fail to give its text, and have text that cannot be printed
    lines = format_exception_only(error)
    text = " ".join((lines[-1] if isinstance(error, SyntaxError) else "".join(lines)).split())
    text = text.removeprefix(f"{type(error).__module__}.")
    return text.encode(errors="backslashreplace").decode()


def _anchored(value: Any, folder: Path) -> Any:
    """`value` as maps and lists, with each `file`, also in `vary`, relative to `folder`."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key: _anchored_key(key, one, folder) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_anchored(one, folder) for one in value]
    return value


def _anchored_key(key: Any, value: Any, folder: Path) -> Any:
    if key != "file":
        return _anchored(value, folder)
    if isinstance(value, str | Path):
        return str(folder / value)
    if isinstance(value, Sequence):
        return [str(folder / one) if isinstance(one, str | Path) else one for one in value]
    return value
