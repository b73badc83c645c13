"""Bounded queue of packets and texts for one browser, in which newer packets replace older ones."""

import asyncio
from collections import deque
from collections.abc import Sequence

from rtdecode.view.browser_input import PRESENT, BrowserMessage
from rtdecode.view.microscope import Microscope
from rtdecode.view.microscope_watcher import MicroscopeWatcher, watched
from rtdecode.view.packets import Packet, Slot

_IN_FLIGHT_FRAMES = 4
"""Pictures sent but not yet drawn; more would be outdated when they arrive."""
_COLUMNS, _MOST_COLUMNS = 3, 30
"""Columns of the activity strip that are sent without a picture, and that wait at most."""
_TEXTS = 4
"""Waiting texts; each status replaces the one before."""


class BrowserQueue:
    """Waiting messages of one browser: the newest packet of each slot, and texts in order.

    Columns of the activity strip do not replace each other. They are sent with the next picture,
    in one write, or three at once: each write to each browser costs the page processor time.

    A picture that arrives while the one before still waits replaces it and is counted in
    `dropped`. Pictures also wait while `_IN_FLIGHT_FRAMES` of them are sent but not drawn (a
    hidden tab, a slow line), because socket buffers would delay them instead.

    Parameters
    ----------
    may_act
        Whether this browser may arm the controller and acknowledge alarms.
    """

    def __init__(self, *, may_act: bool = False) -> None:
        self.may_act = may_act
        self._packets: dict[Slot, Packet] = {}
        self._columns: deque[bytes] = deque(maxlen=_MOST_COLUMNS)
        self._texts: deque[str] = deque(maxlen=_TEXTS)
        self._undrawn: list[int] = []
        self._changed = asyncio.Event()
        self._watcher: MicroscopeWatcher | None = None
        self._watch_due = False
        self._present = False
        self.dropped = 0

    def put_packet(self, packet: Packet) -> None:
        """Queue `packet` in place of an older one of its slot, if this browser displays it."""
        if packet.slot is Slot.PRESENT and not self._present:
            return
        if packet.slot is Slot.ACTIVITY:
            self._put_column(packet)
            return
        if packet.slot in self._packets and packet.slot is Slot.PICTURE:
            self.dropped += 1
        self._packets[packet.slot] = packet
        self._changed.set()

    def _put_column(self, packet: Packet) -> None:
        self._columns.append(packet.data)
        # one packet of each kind for each frame, and not for each sample of behaviour
        self._watch_due = True
        if self._watcher is not None or len(self._columns) >= _COLUMNS:
            self._changed.set()

    def put_text(self, text: str) -> None:
        """Queue `text` behind the texts before it; the oldest is lost where too many wait."""
        self._texts.append(text)
        # the status comes four times a second, also where no activity does
        self._watch_due = True
        self._changed.set()

    def put_packets(self, packets: Sequence[Packet]) -> None:
        """Queue `packets`, and what is new of the Microscope tab where this browser shows it."""
        for packet in packets:
            self.put_packet(packet)

    def watch(self, said: BrowserMessage, microscope: Microscope) -> None:
        """Act on a message of the browser about what it displays."""
        if said.what == PRESENT:
            self._present = bool(said.number)
            return
        self._watcher = watched(microscope, self._watcher, said)
        self._watch_due = True
        self._changed.set()

    @property
    def is_due(self) -> bool:
        """Whether something is to be sent at once; columns of the strip wait for a picture."""
        return self._changed.is_set()

    @property
    def waits(self) -> bool:
        """Whether a text waits to be sent."""
        return bool(self._texts)

    def acknowledge(self, frame: int) -> None:
        """Note that the browser has drawn `frame`, and therefore draws no older one."""
        drawn = self._undrawn.index(frame) + 1 if frame in self._undrawn else 0
        self._undrawn = self._undrawn[drawn:]
        if Slot.PICTURE in self._packets:  # otherwise nothing waits for this
            self._changed.set()

    async def next_packets(self) -> Sequence[bytes | str]:
        """Wait until something may be sent; returns all of it, texts first."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            found: list[bytes | str] = [*self._texts, *self._columns]
            self._texts.clear()
            self._columns.clear()
            for slot in list(self._packets):
                if slot is not Slot.PICTURE or len(self._undrawn) < _IN_FLIGHT_FRAMES:
                    packet = self._packets.pop(slot)
                    found.append(packet.data)
                    if slot is Slot.PICTURE:
                        self._undrawn.append(packet.frame)
            if self._watcher is not None and self._watch_due:
                found += self._watcher.packets()
            self._watch_due = False
            if found:
                return found
