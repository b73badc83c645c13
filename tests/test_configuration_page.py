"""docs/configuration.md is what the models say.

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

from rtdecode.schema.config import RunConfig

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
HEAD = """# Configuration

A run is one YAML file; everything that changes an experiment is in it. `rtdecode check FILE` says
what it would run, or all its mistakes at once, each with its line. Unknown keys are mistakes. Paths
in a file are relative to the file. Whatever is left out has the value below. Examples: `configs/`.
"""


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the source says under each field."""
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


def models_of(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for part in get_args(hint):
        yield from models_of(part)


def section(model: type[BaseModel], path: str) -> Iterator[str]:
    said = meanings(model)
    nested: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for name, field in model.model_fields.items():
        inner = list(models_of(field.annotation))
        if inner:
            nested += [(f"{path}.{name}".strip("."), one) for one in inner]
            continue
        limit = bounds(field.metadata)
        default = "" if field.is_required() else f"`{shown(field.default)}`"
        rows.append(
            f"| `{name}` | {kind(field.annotation)} {limit} | {default} | {said.get(name, '')} |"
        )
    yield f"## {f'`{path}`' if path else 'The run'}" + (
        f" with `kind: {model.model_fields['kind'].default}`"
        if "kind" in model.model_fields
        else ""
    )
    yield inspect.cleandoc(model.__doc__ or "")
    if rows:
        yield "\n".join(["| key | what | default | |", "|---|---|---|---|", *rows])
    for where, one in nested:
        yield from section(one, where)


def page() -> str:
    return "\n\n".join([HEAD.strip(), *section(RunConfig, "")]) + "\n"


def test_the_page_says_what_the_models_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
