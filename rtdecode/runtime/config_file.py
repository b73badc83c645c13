"""Reading and writing of config files, for all commands and processes.

Nothing else opens a config file or passes a dict of settings on. A file is YAML without aliases
and without repeated keys, so that each setting stands in it once and is read in bounded time.
"""

import codecs
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.section import Section, is_unicode
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import ConfigError, MissingFileError

log = logging.getLogger(__name__)

_Location = tuple[str | int, ...]
Lines = Mapping[_Location, int]
"""Line of each key and list item of a file, from 1, by its names and numbers."""
S = TypeVar("S", bound=Section)
_PROTOCOL = (
    "blocks: this is a stimulus protocol and not the config of a run: give a config that names it "
    "as stimulus.protocol; see docs/stimulus.md"
)
_MOST_BYTES = 1_000_000
_MOST_CHARACTERS = 3000
"""Of one value; paths are shorter, and Python refuses to print numbers much longer."""
_MOST_LEVELS = 20


def read_config(path: Path) -> RunConfig:
    """Read the config in `path`; relative paths in it are relative to the file.

    An empty file gives the defaults, which a warning in the log states.

    Raises
    ------
    MissingFileError
        If there is no such file.
    ConfigError
        If the file is not valid; it lists all mistakes, each with its line.
    """
    content, lines = sections_of(path, what="config", remedy="see configs/ for examples")
    if not lines:
        log.warning("%s is empty: every setting of the run has its default", path)
    if "blocks" in content:
        raise ConfigError(path=path, mistakes=[_PROTOCOL])
    return _anchored(validated(RunConfig, content, path, lines), path.resolve().parent)


def read_config_over(base: RunConfig, path: Path) -> RunConfig:
    """`base` with the settings of the config in `path`, which may be a part of one.

    What `path` does not state stays as in `base`, setting by setting; a source, which has other
    settings by its kind, is replaced as a whole. Raises as `read_config` does.
    """
    content, lines = sections_of(path, what="config", remedy="give settings such as decode: steps")
    if "blocks" in content:
        raise ConfigError(path=path, mistakes=[_PROTOCOL])
    laid = _laid_over(base.model_dump(), content, RunConfig)
    return _anchored(validated(RunConfig, laid, path, lines), path.resolve().parent)


def _laid_over(base: Any, given: Any, model: Any) -> Any:
    """The map `given` over the map `base` of the section `model`, at any depth."""
    known, is_replaced = model.model_fields, given.get("kind", base.get("kind")) != base.get("kind")
    found = {} if is_replaced else dict(base)
    for key, value in given.items():
        name = model.earlier_names.get(key, key)
        section = known[name].annotation if name in known else None
        parts = [part for part in (section, *get_args(section)) if _is_section(part)]
        if isinstance(value, dict) and isinstance(base.get(name), dict) and parts:
            value = _laid_over(base[name], value, parts[0])
        found[name] = value
    return found


def _is_section(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Section)


def sections_of(path: Path, *, what: str, remedy: str) -> tuple[dict[str, Any], Lines]:
    """The map in the YAML file `path`, and the line of each key; both empty for an empty file.

    Raises
    ------
    MissingFileError
        If there is no such file; it names the file as `what`, and gives the `remedy`.
    ConfigError
        If the file is not valid YAML of bounded size, or no map.
    """
    if not path.is_file():
        raise MissingFileError(what=what, path=path, remedy=remedy)
    node, content = _parsed(_text(path), path)
    if node is None:
        return {}, {}
    if not isinstance(content, dict):
        raise ConfigError(path=path, mistakes=["line 1: a map of sections is expected"])
    return content, _line_numbers(node)


def validated(model: type[S], content: Any, path: Path, lines: Lines) -> S:
    """`content` of the file `path` as a `model`; ConfigError with the line of each mistake."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(path=path, mistakes=_mistakes(error, lines)) from error


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with the mark that Windows editors write."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        got = f"the file cannot be read: {error.strerror}"
        raise ConfigError(path=path, mistakes=[got]) from error
    if len(raw) > _MOST_BYTES:
        got = f"the file has more than {_MOST_BYTES} bytes: give the YAML config of a run"
        raise ConfigError(path=path, mistakes=[got])
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if raw.startswith(marks) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise ConfigError(path=path, mistakes=[f"line {line}: {byte}"]) from error


def _parsed(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    """The tree of the file with its lines, and its content; None and None for an empty file."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        if repeated := list(_repeated_keys(node)):
            raise ConfigError(path=path, mistakes=repeated)
        return node, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise ConfigError(path=path, mistakes=[f"line {line}: {error.problem}"]) from error
    except yaml.YAMLError as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(path=path, mistakes=[f"not YAML: {first_line}"]) from error


class _Loader(yaml.SafeLoader):
    """Plain values alone, without aliases, of bounded depth and length."""

    _levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(f"alias *{event.anchor}: write the value itself", event.start_mark)
        if self._levels == _MOST_LEVELS:
            raise _refusal(f"more than {_MOST_LEVELS} levels of nesting", event.start_mark)
        self._levels += 1
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and not is_unicode(node.value):
            raise _refusal("half a surrogate pair, which is no character", node.start_mark)
        if isinstance(node, yaml.ScalarNode) and len(node.value) > _MOST_CHARACTERS:
            got = (
                f"a value of {len(node.value)} characters: at most {_MOST_CHARACTERS} are expected"
            )
            raise _refusal(got, node.start_mark)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            # PyYAML lets the errors of int(), date() and of its own tables through.
            kind = node.tag.rpartition(":")[2]
            raise _refusal(f"{node.value!r:.60} is not a valid {kind}", node.start_mark) from error


def _refusal(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=mark)


def _repeated_keys(node: yaml.Node, where: str = "") -> Iterator[str]:
    """A mistake for each key that stands twice in one section; one value would be ignored."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name, line = f"{where}{key.value}", key.start_mark.line + 1
            if name in first:
                lines = f"in line {first[name]} and in line {line}"
                yield f"line {line}: {name} is given twice, {lines}: keep one of them"
            first.setdefault(name, line)
            yield from _repeated_keys(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _repeated_keys(value, f"{where}{number}.")


def write_config(config: RunConfig, path: Path) -> None:
    """Write the resolved config so that `read_config` gives an equal one; FileWriteError."""
    with write_errors_named(path):
        path.write_text(config_yaml(config), encoding="utf-8")


def config_yaml(config: RunConfig) -> str:
    """The resolved config as YAML text."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    return text


_SENTENCES = ("missing", "value_error", "union_tag_invalid", "union_tag_not_found")
"""Kinds of mistakes whose sentence states what was got."""
_IN_YAML = {
    "extra_forbidden": "unknown key; see docs/configuration.md for the keys of this section",
    "union_tag_not_found": "it has no kind: give its kind, see docs/configuration.md",
    "tuple_type": "give a list, as [A, B] or with a line that begins with - for each value",
    "path_type": "give the path of a file or folder",
}
"""Sentences without the types of Python."""


def _mistakes(error: ValidationError, lines: Lines) -> list[str]:
    found = []
    for mistake in error.errors():
        where = _without_tags(mistake["loc"], lines)
        known = [lines[where[:n]] for n in range(len(where), -1, -1) if where[:n] in lines]
        line = f"line {known[0] if known else 1}: "
        name = ".".join(map(str, where)) or "the run"
        got = "" if mistake["type"] in _SENTENCES else f", got {_as_written(mistake['input']):.60}"
        found.append(f"{line}{name}: {_plain(mistake)}{got}")
    return found


def _as_written(value: Any) -> str:
    """`value` in words of YAML: null and true, not None and True; a string in quotes."""
    plain = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return repr(value) if isinstance(value, str) else plain


def _plain(mistake: ErrorDetails) -> str:
    if mistake["type"] == "union_tag_invalid":
        tag, known = mistake["ctx"]["tag"], mistake["ctx"]["expected_tags"]
        return f"unknown kind '{tag:.40}': give one of {known}"
    return _IN_YAML.get(mistake["type"]) or mistake["msg"].removeprefix("Value error, ")


def _without_tags(loc: _Location, lines: Lines) -> _Location:
    """The location without the names of union members, which pydantic adds."""
    kept: _Location = ()
    for place, part in enumerate(loc):
        is_last, is_known = place == len(loc) - 1, (*kept, part) in lines
        if is_last or is_known or not any(known[: len(kept)] == kept for known in lines):
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
    given = _placed(config.model_dump(exclude_unset=True), folder)
    # Defaults are relative to the working directory, so that no session lands beside the config.
    whole = _placed(RunConfig.model_validate(given).model_dump(), Path.cwd())
    return RunConfig.model_validate(whole)


def _placed(value: Any, folder: Path) -> Any:
    """`value`, with each relative path in it placed in `folder`."""
    if isinstance(value, dict):
        return {key: _placed(one, folder) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_placed(one, folder) for one in value)
    return folder / value if isinstance(value, Path) and not _is_absolute(value) else value


def _is_absolute(path: Path) -> bool:
    """Whether `path` is absolute on the system of any host: one config is for all of them."""
    return PurePosixPath(path.as_posix()).is_absolute() or PureWindowsPath(str(path)).is_absolute()
