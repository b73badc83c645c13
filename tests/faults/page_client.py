"""A browser at the live page of a run, which keeps the last status that the page sent."""

import json
import threading
from contextlib import suppress
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


class Page:
    """A browser at the page of the run, in a thread; `status` is the last one that it got."""

    def __init__(self) -> None:
        self.address = ""
        self.status: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="browser")
        self._thread.start()

    @property
    def frames(self) -> int:
        """Reconstructions that the page has counted."""
        return int(self.status.get("counters", {}).get("frames", 0))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(0.2):
            if self.address:
                # the page is away while its process is started again
                with suppress(OSError, WebSocketException, TimeoutError):
                    self._read(self.address.replace("http", "ws", 1) + "live")

    def _read(self, address: str) -> None:
        with connect(address, open_timeout=5, close_timeout=0.2) as socket:
            while not self._stop.is_set():
                try:
                    message = socket.recv(timeout=0.5)
                except TimeoutError:
                    continue
                if isinstance(message, str) and "counters" in (found := json.loads(message)):
                    self.status = found
