"""Fake rigs: each sends the bytes of one kind of microscope, for the conformance suite."""

import json
import socket
import struct
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tifffile
import zmq

from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Scan, Stamped

ROWS, COLS = 6, 9
NO_COUNTER = "the stream carries no counter"
NO_SIZE = "the stream carries no size"


class TcpRig:
    """A server that the adapter connects to; what is sent waits until it has."""

    kind: ClassVar[str]
    cannot: ClassVar[dict[str, str]] = {}
    options: ClassVar[dict[str, Any]] = {}
    most = 32767

    def __init__(self, _folder: Path) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._port = self._door.getsockname()[1]
        self._door.setblocking(False)
        self._peer: socket.socket | None = None
        self._outbox: deque[bytes] = deque()

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "port": self._port, **self.options}

    def send(self, counter: int, pixels: np.ndarray, *, pieces: int | None = None) -> None:
        data = self.encoded(counter, pixels)
        step = pieces or len(data)
        self._outbox.extend(data[k : k + step] for k in range(0, len(data), step))

    def encoded(self, counter: int, pixels: np.ndarray) -> bytes:
        raise NotImplementedError

    def garbage(self) -> None:
        self._outbox.append(bytes(range(200)) * 4)

    def pump(self) -> None:
        if self._peer is None:
            try:
                self._peer = self._door.accept()[0]
            except BlockingIOError:
                return
        while self._outbox:
            self._peer.sendall(self._outbox.popleft())

    def die(self) -> None:
        self.close()
        self._peer = None
        self._door = socket.create_server(("127.0.0.1", self._port))
        self._door.setblocking(False)

    def close(self) -> None:
        for end in (self._peer, self._door):
            if end is not None:
                end.close()


class ScanImageRig(TcpRig):
    kind = "scanimage_tcp"

    def encoded(self, counter: int, pixels: np.ndarray) -> bytes:
        rows, cols = pixels.shape
        header = {"frame_number": counter + 1, "last_frame_time_stamp": counter / 30}
        head = json.dumps(header | {"frame_width": cols, "frame_height": rows}).encode()
        body = pixels.T.astype("<i2").tobytes()
        return struct.pack("<qq", 20, len(head)) + head + struct.pack("<qq", 30, len(body)) + body


class PrairieRig(TcpRig):
    kind = "prairie_raw"
    options: ClassVar[dict[str, Any]] = {
        **{"rows_px": ROWS, "cols_px": COLS, "samples_per_pixel": 2},
        **{"channels": 2, "channel": 1, "resonant": True},
    }
    cannot: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("missing", "old", "restart", "odd"), NO_COUNTER),
        "size": NO_SIZE,
        "garbage": "all bytes are samples",
    }

    def encoded(self, _counter: int, pixels: np.ndarray) -> bytes:
        lines = pixels.astype(np.int64) + 8192
        lines[1::2] = lines[1::2, ::-1]
        samples = np.repeat(lines[..., None], 2, 2)
        both = np.stack([np.zeros_like(samples), samples], -1)
        return both.astype("<u2").tobytes()


class RawTailRig:
    kind = "raw_tail"
    cannot: ClassVar[dict[str, str]] = PrairieRig.cannot
    most = 65535

    def __init__(self, folder: Path) -> None:
        self._path = folder / "Image_001_001.raw"

    def config(self) -> dict[str, Any]:
        size = {"rows_px": ROWS, "cols_px": COLS, "scan_rate_hz": 30.0}
        return {"kind": self.kind, "path": self._path, **size}

    def send(self, _counter: int, pixels: np.ndarray, *, pieces: int | None = None) -> None:
        data = pixels.astype("<u2").tobytes()
        step = pieces or len(data)
        with self._path.open("ab") as file:
            for k in range(0, len(data), step):
                file.write(data[k : k + step])
                file.flush()

    def pump(self) -> None:
        """The file is there."""

    def die(self) -> None:
        self._path.rename(self._path.with_suffix(".old"))

    def close(self) -> None:
        """Nothing is open."""


class TiffTailRig:
    kind = "tiff_tail"
    cannot: ClassVar[dict[str, str]] = {
        "death": "a finished file does not change",
        "odd": "the time stamp beside the number sets when a page is due",
    }
    most = 65535

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scan_00001.tif"

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": self._path, "speed": 1000.0}

    def send(self, counter: int, pixels: np.ndarray, *, pieces: int | None = None) -> None:
        whole = self._path.with_suffix(".new")
        if self._path.exists():
            whole.write_bytes(self._path.read_bytes())
        text = f"frameNumbers = {counter + 1}\nframeTimestamps_sec = {counter / 30:.9f}\n"
        options: dict[str, Any] = {"bigtiff": True, "append": True, "metadata": None}
        tifffile.imwrite(whole, pixels.astype(np.uint16), description=text, **options)
        self._grow(whole.read_bytes(), pieces)

    def _grow(self, data: bytes, pieces: int | None) -> None:
        """Append what is new, and only then let the page before point to it, as writers do."""
        self._path.touch()
        with self._path.open("r+b") as file:
            first = file.seek(0, 2)
            step = pieces or len(data)
            for k in range(first, len(data), step):
                file.write(data[k : k + step])
                file.flush()
            file.seek(0)
            file.write(data)

    def garbage(self) -> None:
        self._path.write_bytes(bytes(range(200)))

    def pump(self) -> None:
        """The file is there."""

    def close(self) -> None:
        """Nothing is open."""


class ScanboxRig:
    kind = "scanbox_mmap"
    cannot: ClassVar[dict[str, str]] = {
        "pieces": "a frame is replaced as a whole",
        "death": "the file remains, Scanbox writes -2",
    }
    most = 65535

    def __init__(self, folder: Path) -> None:
        self._path = folder / "scanbox.mmap"
        self._outbox: deque[bytes] = deque()

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": self._path}

    def send(self, counter: int, pixels: np.ndarray, *, pieces: int | None = None) -> None:
        header = [counter, *pixels.shape, 0, 0, *[0] * 11]
        self._outbox.append(
            struct.pack("<16h", *header) + (65535 - pixels.T).astype("<u2").tobytes()
        )

    def garbage(self) -> None:
        self._outbox.append(struct.pack("<16h", 5, 30000, 30000, *[0] * 13))

    def pump(self) -> None:
        if not self._path.exists():
            self._path.write_bytes(struct.pack("<h", -1) + bytes(4096))
        with self._path.open("r+b") as file:
            taken = file.read(2) == struct.pack("<h", -1)
            if taken and self._outbox:
                data = self._outbox.popleft()
                file.seek(2)
                file.write(data[2:])
                file.seek(0)
                file.write(data[:2])

    def close(self) -> None:
        """Nothing is open."""


class NativeRig:
    kind = "zmq_native"
    cannot: ClassVar[dict[str, str]] = {"pieces": "ZeroMQ delivers whole messages"}
    most = 65535

    def __init__(self, folder: Path) -> None:
        self._address = f"ipc://{folder}/native"
        self._context = zmq.Context()
        self._socket = self._connected()

    def _connected(self) -> "zmq.Socket[bytes]":
        made: zmq.Socket[bytes] = self._context.socket(zmq.PUSH)
        made.set(zmq.LINGER, 1000)
        made.connect(self._address)
        return made

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "address": self._address}

    def send(self, counter: int, pixels: np.ndarray, *, pieces: int | None = None) -> None:
        stamp_ns = counter * 33_000_000
        scan = Scan(pixels.astype(np.uint16), counter, 0, stamp_ns, stamp_ns + 33_000_000)
        self._socket.send(pack(Stamped("rig", counter, stamp_ns, "rig", scan)))

    def garbage(self) -> None:
        self._socket.send(bytes(range(200)))

    def pump(self) -> None:
        """ZeroMQ sends by itself."""

    def die(self) -> None:
        self._socket.close()
        self._socket = self._connected()

    def close(self) -> None:
        self._socket.close()
        self._context.term()


RIGS = (ScanImageRig, ScanboxRig, RawTailRig, PrairieRig, TiffTailRig, NativeRig)
