"""What a log states about its own messages: a JSON Schema of each kind, and a metadata record.

Every message is a MessagePack map that names its fields, so that the schema adds what a map cannot
hold: types, ranks and dtypes of arrays, units, and which fields may be missing. It is written once
for each kind in each file of a log.

>>> schema = json.loads(message_schema("behaviour"))
>>> schema["title"], schema["properties"]["running_cm_s"]
('behaviour', {'type': 'number', 'description': 'centimetres per second'})
"""

import json
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from rtdecode.runtime.codec import WIRE_VERSION, optional_fields
from rtdecode.schema.arrays import ArraySpec
from rtdecode.schema.messages import BODIES, Body

ABOUT = "rtdecode.about"
"""Name of the metadata record at the start of each file of a log."""
SCHEMA_ENCODING = "jsonschema"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BY_KIND = {body.kind: body for body in BODIES}
_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean"}
_UNITS = {
    "_ns": "nanoseconds",
    "_cm_s": "centimetres per second",
    "_s": "seconds",
    "_ms": "milliseconds",
    "_hz": "hertz",
    "_px": "pixels",
    "_counts": "detector counts of the microscope",
    "luminance": "grey levels, 0 to 255, row 0 at the top",
}
"""Unit of a field by the end of its name; the first that fits."""
_ENVELOPE = {
    "v": {"const": WIRE_VERSION, "description": "version of the wire format"},
    "kind": {"type": "string"},
    "source": {"type": "string", "description": "the sending process"},
    "seq": {"type": "integer", "description": "number in its stream, from 0"},
    "t_ns": {"type": "integer", "description": "nanoseconds; when it was sent"},
    "clock": {"type": "string", "description": "clock of t_ns; host is that of the time base"},
}


def schema_name(kind: str) -> str:
    """Name of the schema of `kind` in a log."""
    return f"rtdecode.{kind}"


@cache
def message_schema(kind: str) -> bytes:
    """JSON Schema of the messages of `kind` in the wire version that this release writes.

    It describes the map after it was read from MessagePack; the bytes of an array, for which JSON
    has no type, are described in words. Raises KeyError for an unknown kind.
    """
    body = _BY_KIND[kind]
    hints = get_type_hints(body, include_extras=True)
    own = {field.name: _described(field.name, hints[field.name]) for field in fields(body)}
    schema = {
        "$schema": _DIALECT,
        "title": kind,
        "description": _summary(body),
        "type": "object",
        "properties": {**_ENVELOPE, "kind": {"const": kind}, **own},
        "required": [*_ENVELOPE, *(name for name in own if name not in optional_fields(kind))],
    }
    return json.dumps(schema).encode()


def about_log() -> dict[str, str]:
    """Values of the metadata record that states how the messages of a log are read."""
    release = version("rtdecode")
    return {
        "messages": "one MessagePack map each; arrays are maps of dtype, shape and data (raw "
        "bytes, C order, little-endian); no pickle",
        "wire_version": str(WIRE_VERSION),
        "time_base": "nanoseconds of CLOCK_MONOTONIC of the decoder's host in every t_*_ns, in "
        "publish_time (sent) and in log_time (received by the recorder)",
        "schemas": "JSON Schema of each kind, of the map after it was read from MessagePack",
        "documentation": f"docs/session.md and docs/wire.md of rtdecode {release}",
        "written_by": f"rtdecode {release}",
    }


def _summary(body: type[Body]) -> str:
    return (body.__doc__ or "").partition("\n\n")[0].strip()


def _described(name: str, hint: Any) -> dict[str, Any]:
    described = _typed(hint)
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
    if unit:
        described["description"] = unit
    return described


def _typed(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is Annotated:
        return _array(get_args(hint)[1])
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": _typed(get_args(hint)[1])}
    return {"type": _TYPES[hint]}


def _array(spec: ArraySpec) -> dict[str, Any]:
    sides = {"type": "array", "items": {"type": "integer"}}
    return {
        "type": "object",
        "properties": {
            "dtype": {"enum": list(spec.dtypes)},
            "shape": {**sides, "minItems": spec.rank, "maxItems": spec.rank},
            "data": {"description": "MessagePack bin: raw bytes, C order, little-endian"},
        },
        "required": ["dtype", "shape", "data"],
    }
