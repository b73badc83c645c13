"""docs/wire.md says what the code does; `python -P tests/test_wire_page.py` writes its tables."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import pytest

from rtdecode.runtime import limits
from rtdecode.runtime.codec import MAX_MESSAGE_BYTES, WIRE_VERSION, pack, topic, unpack
from rtdecode.schema import control, evaluation, hosts, messages
from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.errors import Refusal
from rtdecode.schema.messages import BODIES, Command, Stamped

PAGE = Path(__file__).resolve().parents[1] / "docs" / "wire.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
WIRE_TYPES = {int: "int", float: "float64", str: "str", bool: "bool"}
COMMAND = Command(target="decoder", name="stop", value="")
EXAMPLE = Stamped("supervisor", 3, 1_000, "host", COMMAND)


def meanings() -> dict[tuple[str, str], str]:
    """What the sources say under each field, by class and field."""
    modules = (messages, control, evaluation, hosts)
    trees = [ast.parse(Path(str(m.__file__)).read_text("utf-8")) for m in modules]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return {(cls.name, name): said for cls in classes for name, said in _said(cls)}


def _said(cls: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(cls.body, cls.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if is_text and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            yield field.target.id, " ".join(str(after.value.value).split())


def wire_type(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        spec: ArraySpec = get_args(hint)[1]
        dtypes = " or ".join(spec.dtypes)
        return f"array of {dtypes}, rank {spec.rank}, at most {spec.max_items:,} items"
    if get_origin(hint) is dict:
        key, value = get_args(hint)
        return f"map of {wire_type(key)} to {wire_type(value)}"
    return WIRE_TYPES[hint]


def table(body: type[Any]) -> str:
    hints = get_type_hints(body, include_extras=True)
    said = meanings()
    rows = [
        f"| `{name}` | {wire_type(hints[name])} | {said.get((body.__name__, name), '')} |"
        for name in (field.name for field in fields(body))
    ]
    summary = (body.__doc__ or "").strip().splitlines()[0]
    head = [f"### `{body.kind}`", "", summary, "", "| field | type | |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def tables() -> str:
    return "\n\n".join(table(body) for body in BODIES)


def written() -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def rewritten(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def test_the_tables_are_those_of_the_code() -> None:
    assert written() == tables(), "run `python -P tests/test_wire_page.py`"


def test_every_array_and_every_kind_is_explained() -> None:
    assert {body.kind for body in BODIES} == set(re.findall(r"### `(\w+)`", written()))


def test_the_bytes_of_the_example_are_true() -> None:
    block = re.search(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    shown = bytes.fromhex("".join(line.partition("|")[0] for line in block[1].splitlines()))
    assert shown == pack(EXAMPLE)
    assert pack(unpack(shown)) == shown


def test_the_version_and_the_limit_are_true() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"The version is {WIRE_VERSION}." in page
    assert f"at most {MAX_MESSAGE_BYTES:,} bytes" in page


def test_the_tables_of_limits_are_true() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"| {limits.MAX_ENTRIES:,}, {limits.MAX_ITEMS} |" in page
    for limit in (limits.MAX_VALUES, limits.TEXT_CHARS, limits.CONFIG_CHARS, 65_535):
        assert f" | {limit:,} |" in page
    control, commands = limits.CONTROL_RATE, limits.COMMAND_RATE
    assert (limits.CONTROL_BYTES, limits.COMMAND_BYTES) == (2**20, 33 * 2**20)
    for mib, rate in ((1, control), (33, commands), (64, limits.STREAM_RATE)):
        assert f"| {mib} MiB | {rate.messages_per_s:,.0f} | {rate.burst:,.0f} |" in page
    assert f"at most {limits.MOST_STREAMS} streams" in page
    assert all(f"`{one}`" in page for one in Refusal)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.kind)
def test_the_prefix_to_subscribe_to_is_as_the_page_says(body: type[Any]) -> None:
    count = 6 + len(fields(body))
    head = bytes([0x80 | count]) if count < 16 else b"\xde" + count.to_bytes(2, "big")
    assert topic(body.kind) == head + b"\xa1v\x02\xa4kind" + msgpack.packb(body.kind)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
