"""A log describes its own messages: schemas that hold, and a record of version and time base."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from mcap.reader import make_reader
from plain_log import parts_of, read_plain

from rtdecode.runtime.codec import WIRE_VERSION, optional_fields, pack
from rtdecode.schema.messages import BODIES, Body, Event, Gap, Stamped
from rtdecode.session.log_parts import LogParts
from rtdecode.session.log_schema import ABOUT, message_schema, schema_name
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover

GOLDEN = Path(__file__).parents[2] / "golden" / "session_wire1" / "log.mcap"


def example(kind: type[Body]) -> dict[str, Any]:
    """A message of `kind` as MessagePack gives it, with an item in each map and array."""
    hints = get_type_hints(kind, include_extras=True)
    body = kind(**{field.name: _value(hints[field.name]) for field in fields(kind)})
    return msgpack.unpackb(pack(Stamped("bridge", 3, 5, "host", body)))


def _value(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        spec = get_args(hint)[1]
        return np.ones([2] * spec.rank, spec.dtypes[0])
    if get_origin(hint) is dict:
        return {"some": _value(get_args(hint)[1])}
    return {int: 7, float: 0.5, str: "text", bool: True}[hint]


def validator(kind: type[Body]) -> Draft202012Validator:
    schema = json.loads(message_schema(kind.kind))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.kind)
def test_a_message_agrees_with_its_schema_and_a_changed_one_does_not(kind: type[Body]) -> None:
    message, valid = example(kind), validator(kind)
    assert valid.is_valid(message)
    for name, value in message.items():
        wrong = {"shape": []} if isinstance(value, dict) else [value]
        assert not valid.is_valid({**message, name: wrong}), name
        without = {one: kept for one, kept in message.items() if one != name}
        assert valid.is_valid(without) == (name in optional_fields(kind.kind)), name


def written(folder: Path, *, parts: int = 1) -> Path:
    """A log of two kinds in `parts` files, one kind from two sources."""
    log = LogParts(folder / "log.mcap", name="of a test", part_bytes=100)
    bodies = [Event("info", "p", "c", "x"), Gap("a/b", 1, 2, "recorder")]
    for part in range(parts):
        for source in ("bridge", "view"):
            for body in bodies:
                data = pack(Stamped(source, part, part, "host", body))
                stream = f"{source}/{body.kind}"
                log.add(data, stream=stream, seq=part, t_sent_ns=part, t_logged_ns=part)
        if part < parts - 1:
            log.flush()
            log.wait()
    log.close()
    return folder / "log.mcap"


def described(log: Path) -> tuple[dict[str, tuple[str, bytes]], dict[str, str]]:
    """Schema of each topic, and what the record at the start states, read with `mcap` alone."""
    with log.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        about = {one.name: one.metadata for one in reader.iter_metadata()}.get(ABOUT, {})
        topics = {
            channel.topic: (schema.encoding, schema.data) if schema else ("", b"")
            for schema, channel, _ in reader.iter_messages()
        }
    assert summary is not None
    used = {channel.schema_id for channel in summary.channels.values()} - {0}
    assert used == set(summary.schemas)
    return topics, about


def test_every_part_of_a_log_describes_its_messages(tmp_path: Path) -> None:
    log = written(tmp_path, parts=3)
    assert len(parts_of(log)) == 3
    for part in parts_of(log):
        topics, about = described(part)
        assert about["wire_version"] == str(WIRE_VERSION)
        assert "CLOCK_MONOTONIC" in about["time_base"]
        assert "docs/session.md" in about["documentation"]
        assert topics == {
            f"{source}/{kind}": ("jsonschema", message_schema(kind))
            for source in ("bridge", "view")
            for kind in ("event", "gap")
        }
    assert read_plain(log).messages == LogReader(log).summary().counts


def test_a_schema_is_written_once_for_each_kind(tmp_path: Path) -> None:
    log = written(tmp_path)
    # once in the data, once in the summary
    assert log.read_bytes().count(schema_name("event").encode()) == 2


def test_a_repaired_log_describes_its_messages(tmp_path: Path) -> None:
    log = written(tmp_path)
    before = described(log)
    log.write_bytes(log.read_bytes()[:-100])
    assert not recover(tmp_path).was_complete
    assert described(log) == before


def test_a_repaired_log_of_an_earlier_version_is_not_described_as_a_new_one(tmp_path: Path) -> None:
    log = tmp_path / "log.mcap"
    log.write_bytes(GOLDEN.read_bytes()[:-100])
    counts = LogReader(log).summary().counts
    assert not recover(tmp_path).was_complete
    topics, about = described(log)
    assert about == {}
    assert {encoding for encoding, _ in topics.values()} == {""}
    assert LogReader(log).summary().counts == counts
