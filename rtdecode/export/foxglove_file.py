"""An MCAP file with the schemas that Foxglove knows, message by message.

Images and log entries are protobuf with the schemas `foxglove.RawImage` and `foxglove.Log`; other
values are JSON with a JSON Schema, whose numbers a viewer plots by name.
"""

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType, Writer
from numpy.typing import NDArray

from rtdecode.runtime.extras import FOXGLOVE, missing_extra_named

_LEVELS = {"info": "INFO", "warning": "WARNING", "alarm": "ERROR"}
_ENCODINGS = {2: "mono8", 3: "rgb8"}
"""Of images, by their number of axes."""
_CHUNK_BYTES = 1024 * 1024


class FoxgloveFile:
    """A new file; it is whole once its block has ended.

    Parameters
    ----------
    path
        The new file.

    Raises
    ------
    ExtraMissingError
        If packages of Foxglove are not installed (extra `foxglove`).
    """

    def __init__(self, path: Path) -> None:
        with missing_extra_named(FOXGLOVE):
            from foxglove_schemas_protobuf.Log_pb2 import Log
            from foxglove_schemas_protobuf.RawImage_pb2 import RawImage
            from mcap_protobuf.schema import register_schema
        self._image_type, self._log_type, self._registered = RawImage, Log, register_schema
        self._stream = path.open("wb")
        self._writer = Writer(self._stream, _CHUNK_BYTES, CompressionType.ZSTD)
        self._writer.start()
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}

    def __enter__(self) -> "FoxgloveFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        try:
            if kind is None:
                self._writer.finish()  # type: ignore[no-untyped-call]
        finally:
            self._stream.close()

    def image(self, topic: str, pixels: NDArray[np.uint8], t_ns: int) -> None:
        """Append a (row, col) grey or (row, col, rgb) picture of the time `t_ns`."""
        rows, cols = pixels.shape[:2]
        message = self._image_type(
            frame_id=topic.strip("/"),
            width=cols,
            height=rows,
            encoding=_ENCODINGS[pixels.ndim],
            step=pixels.nbytes // rows,
            data=np.ascontiguousarray(pixels).tobytes(),
        )
        self._append_protobuf(topic, message, t_ns)

    def log(self, severity: str, process: str, text: str, t_ns: int) -> None:
        """Append a log entry; `severity` is info, warning or alarm."""
        level = self._log_type.Level.Value(_LEVELS.get(severity, "UNKNOWN"))
        self._append_protobuf("/log", self._log_type(level=level, name=process, message=text), t_ns)

    def values(self, topic: str, values: Mapping[str, Any], t_ns: int) -> None:
        """Append numbers and texts by name, without those that are NaN or infinite.

        All messages of a topic have the names of the first.
        """
        if topic not in self._channels:
            schema = self._writer.register_schema(
                f"rtdecode{topic.replace('/', '.')}", "jsonschema", _schema_of(values)
            )
            self._channels[topic] = self._writer.register_channel(topic, "json", schema)
        # JSON has no NaN
        known = {name: one for name, one in values.items() if isinstance(one, str) or isfinite(one)}
        self._append(topic, json.dumps(known).encode(), t_ns)

    def state(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Append the metadata of the session as a record of the file."""
        texts = {key: str(value) for key, value in metadata.items() if value is not None}
        self._writer.add_metadata("rtdecode.session", {**texts, "session": name})

    def _append_protobuf(self, topic: str, message: Any, t_ns: int) -> None:
        message.timestamp.FromNanoseconds(t_ns)
        kind = type(message)
        if topic not in self._channels:
            name = kind.DESCRIPTOR.full_name
            if name not in self._schemas:
                self._schemas[name] = self._registered(self._writer, kind)
            channel = self._writer.register_channel(topic, "protobuf", self._schemas[name])
            self._channels[topic] = channel
        self._append(topic, message.SerializeToString(), t_ns)

    def _append(self, topic: str, data: bytes, t_ns: int) -> None:
        channel = self._channels[topic]
        self._writer.add_message(channel, log_time=t_ns, data=data, publish_time=t_ns)


def _schema_of(values: Mapping[str, Any]) -> bytes:
    """JSON Schema of messages with these names."""
    # one type for each: the reader of Foxglove knows no alternatives
    kinds = {name: "string" if isinstance(one, str) else "number" for name, one in values.items()}
    properties = {name: {"type": kind} for name, kind in kinds.items()}
    return json.dumps({"type": "object", "properties": properties}).encode()
