"""Changes one setting in a config file, and nothing else: comments and order stay as they are."""

from pathlib import Path

import yaml

from rtdecode.runtime.config_file import read_config
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.errors import ConfigError


def set_in_section(path: Path, *, section: str, key: str, value: float) -> str:
    """Write `value` as `key` of `section` into the config file at `path`; the line written.

    A value that is there is replaced; otherwise the key becomes the first of the section, or a new
    section at the end of the file.

    Raises
    ------
    MissingFileError, ConfigError
        If the file is not a valid config, or cannot be changed without changing anything else; it
        is then left as it is.
    """
    before, line = read_config(path), f"{key}: {value:g}"
    text = path.read_text(encoding="utf-8-sig")
    changed = _changed(text, section, key, f"{value:g}")
    with written_atomically(path) as unfinished:
        unfinished.write_text(changed, encoding="utf-8")
        # relative paths are resolved against the folder, which is the same
        after = read_config(unfinished)
        expected = before.model_dump()
        expected[section][key] = value
        if after.model_dump() != expected:
            raise ConfigError(path=path, mistakes=[f"write `{line}` under `{section}:` yourself"])
    return line


def _changed(text: str, section: str, key: str, value: str) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    part = _child(root, section) if isinstance(root, yaml.MappingNode) else None
    if isinstance(part, yaml.MappingNode):
        return _in_section(text, part, key, value)
    if part is not None:
        return _replaced(text, part, f"\n  {key}: {value}")
    if isinstance(root, yaml.MappingNode) and root.flow_style:
        return _inserted(text, root.start_mark.index + 1, f"{section}: {{{key}: {value}}}, ")
    return f"{text.rstrip()}\n{section}:\n  {key}: {value}\n".lstrip()


def _in_section(text: str, part: yaml.MappingNode, key: str, value: str) -> str:
    old = _child(part, key)
    if old is not None:
        return _replaced(text, old, value)
    if part.flow_style:
        separator = ", " if part.value else ""
        return _inserted(text, part.start_mark.index + 1, f"{key}: {value}{separator}")
    first = part.value[0][0].start_mark
    return _inserted(text, first.index, f"{key}: {value}\n{' ' * first.column}")


def _child(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _inserted(text: str, at: int, new: str) -> str:
    return text[:at] + new + text[at:]
