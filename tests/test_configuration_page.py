"""docs/configuration.md is made from the models.

`python -P tests/test_configuration_page.py` writes it.
"""

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.protocol import Protocol
from rtdecode.schema.config.section import Section

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
HEAD = """# Configuration

A run is described by one YAML file in UTF-8, which contains everything that changes an experiment.
`rtdecode check FILE` says in sentences what a run would do, where it would record and for how long
there is room, or names all errors of the file, each with its line; `--yaml` prints the config with
all defaults. An unknown key is an error, and so is one that is given twice; YAML
aliases are not read. Paths in a file are relative to the file. A key that is left out has the
default given below. Examples are in `configs/`.

`check` also finds what a start would meet on this machine, as `run` does before it starts anything:
missing files, ROIs, calibration, twin and screen mask that do not fit each other, damaged twins,
ports in use, and disk space. The `config.yaml` of a session is a config file, too:
`rtdecode run SESSION/config.yaml` makes the same run again.
"""
PROTOCOL = """# Protocol files

[stimulus.md](stimulus.md#protocols) describes them; these are their keys, under `blocks`."""
LINE = 100


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the source says under each field, also of a section that it extends."""
    said = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Section) and one is not Section:
            said |= own_meanings(one)
    return said


def own_meanings(model: type[BaseModel]) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    said = {}
    for field, after in pairwise(body):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if is_text and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said[field.target.id] = " ".join(str(after.value.value).split())
    return said


def bounds(metadata: list[Any]) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    found = [
        f"{sign} {getattr(m, n)}" for m in metadata for n, sign in signs.items() if hasattr(m, n)
    ]
    return ", ".join(found)


def kind(hint: Any) -> str:  # noqa: PLR0911 - one line a type
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *rest = get_args(hint)
        limit = bounds([m for field in rest for m in getattr(field, "metadata", [])])
        return f"{kind(inner)} {limit}".strip()
    if origin in (types.UnionType, Union):
        return " or ".join(kind(part) for part in get_args(hint))
    if origin is tuple:
        return "list of " + ", ".join(kind(part) for part in get_args(hint) if part is not ...)
    if origin is dict:
        return "map"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint))
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    return {
        int: "whole number",
        float: "number",
        str: "text",
        bool: "true or false",
        Path: "path",
    }.get(hint, getattr(hint, "__name__", str(hint)))


def shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return "[" + ", ".join(shown(part) for part in value) + "]"
    return str(value.value if isinstance(value, Enum) else value)


def models_of(hint: Any) -> Iterator[type[Section]]:
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for part in get_args(hint):
        yield from models_of(part)


def wrapped(text: str, *, hanging: str = "") -> str:
    """Paragraphs of at most `LINE` characters a line."""
    return textwrap.fill(
        " ".join(text.split()),
        LINE,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def entry(name: str, field: FieldInfo, meaning: str) -> str:
    """One key: type, limits, default, and meaning."""
    what = f"{kind(field.annotation)} {bounds(field.metadata)}".strip()
    default = "required" if field.is_required() else f"default `{shown(field.default)}`"
    return wrapped(f"- **`{name}`** ({what}; {default}): {meaning}", hanging="  ")


def section(model: type[Section], path: str) -> Iterator[str]:
    said = meanings(model)
    nested: list[tuple[str, type[Section]]] = []
    keys = []
    for name, field in model.model_fields.items():
        inner = list(models_of(field.annotation))
        if inner:
            nested += [(f"{path}.{name}".strip("."), one) for one in inner]
        else:
            keys.append(entry(name, field, said[name]))
    yield f"## {f'`{path}`' if path else 'The run'}" + (
        f" with `kind: {model.model_fields['kind'].default}`"
        if "kind" in model.model_fields
        else ""
    )
    yield from (wrapped(part) for part in inspect.cleandoc(model.__doc__ or "").split("\n\n"))
    if keys:
        yield "\n".join(keys)
    if model.earlier_names:
        renamed = (f"`{one}` → `{other}`" for one, other in model.earlier_names.items())
        yield wrapped(f"Earlier names, which are still read: {', '.join(renamed)}.")
    for where, one in nested:
        yield from section(one, where)


def page() -> str:
    protocol = [part.replace("## The run", PROTOCOL, 1) for part in section(Protocol, "")]
    return "\n\n".join([HEAD.strip(), *section(RunConfig, ""), *protocol]) + "\n"


def test_the_page_is_made_from_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_has_no_long_line() -> None:
    assert [line for line in page().splitlines() if len(line) > LINE] == []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
