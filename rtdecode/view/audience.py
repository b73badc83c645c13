"""The browsers that look on: each gets the newest it can take, and none slows another."""

import asyncio
from collections import deque
from collections.abc import Sequence

from rtdecode.view.packets import Packet, Slot

_IN_FLIGHT_FRAMES = 4
"""Pictures that may be on their way undrawn; more would only be old when they arrive."""
_TEXTS = 4
"""Texts that may wait; what they say is out of date when the next comes."""


class Onlooker:
    """What waits for one browser: the newest packet of each slot, and texts in order.

    A picture that comes while the one before still waits takes its place and is counted as
    dropped. So is one that comes while too many are on their way undrawn (a hidden tab, a slow
    line): socket buffers would make it late instead.
    """

    def __init__(self) -> None:
        self._waiting: dict[Slot, Packet] = {}
        self._texts: deque[str] = deque(maxlen=_TEXTS)
        self._undrawn: list[int] = []
        self._news = asyncio.Event()
        self.dropped = 0

    def offer(self, packet: Packet) -> None:
        """Let `packet` wait, in place of an older one."""
        if packet.slot in self._waiting and packet.slot is Slot.PICTURE:
            self.dropped += 1
        self._waiting[packet.slot] = packet
        self._news.set()

    def tell(self, text: str) -> None:
        """Let `text` wait, behind those before it."""
        self._texts.append(text)
        self._news.set()

    def drawn(self, frame: int) -> None:
        """Note that the browser has drawn `frame`, and so will not draw any older one."""
        drawn = self._undrawn.index(frame) + 1 if frame in self._undrawn else 0
        self._undrawn = self._undrawn[drawn:]
        self._news.set()

    async def take(self) -> Sequence[bytes | str]:
        """Wait for news, and take all that may be sent now."""
        while True:
            await self._news.wait()
            self._news.clear()
            taken: list[bytes | str] = [*self._texts]
            self._texts.clear()
            for slot in list(self._waiting):
                if slot is not Slot.PICTURE or len(self._undrawn) < _IN_FLIGHT_FRAMES:
                    packet = self._waiting.pop(slot)
                    taken.append(packet.data)
                    if slot is Slot.PICTURE:
                        self._undrawn.append(packet.frame)
            if taken:
                return taken
