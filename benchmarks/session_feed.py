"""The messages of a recorded session, again and again, as the process of the page receives them.

    feed = SessionFeed(Path("session"), seconds=20)
    with feed.running(page.push, clock=HostClock()):
        ...

Pictures of the field of view are made from the recorded scans, since they are not in the log. In
each round frames, numbers and times go on where the round before has ended.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.calcium.field_picture import PlaneField, field_of_view, plane_neurons
from rtdecode.calcium.rois import Rois
from rtdecode.schema.config.calcium import MASKS_FILE
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    Fluorescence,
    Received,
    Reconstruction,
    Responses,
    Scan,
    Score,
)
from rtdecode.schema.microscope import FieldOfView
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_NS_PER_S, _RATE_HZ = 1_000_000_000, 30
_PICTURE_NS, _SAME_SCAN_NS = 500_000_000, 8_000_000
_SHOWN = (Behaviour, DisplayedFrame, Fluorescence, Reconstruction, Responses, Score)
_KINDS = {body.kind for body in (*_SHOWN, Scan)}
Push = Callable[[Sequence[Received]], None]


class SessionFeed:
    """Messages of the first `seconds` s of reconstructions in a session, sorted by time."""

    def __init__(self, session: Path, *, seconds: float) -> None:
        layout = SessionLayout(session)
        self._rois = Rois.load(session / MASKS_FILE)
        self._items = sorted(self._read(layout.log, seconds), key=lambda one: one.message.t_ns)
        frames = [one.message.body.frame for one in self._items if _is_frame(one)]
        if not frames:
            raise SystemExit(f"{session} has no reconstructions: give a session of a longer run")
        self._round_frames = max(frames) - min(frames) + 1
        self.neurons = self._rois.count
        self.scans_a_second = _RATE_HZ * self._arrivals() / self._round_frames

    @contextmanager
    def running(self, push: Push, *, clock: Clock) -> Iterator[None]:
        """Push the messages in a thread while the block runs, at the pace of their recording."""
        stop = threading.Event()
        thread = threading.Thread(target=self._feed, args=(push, clock, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _arrivals(self) -> int:
        """How often activity comes; that of one scan comes at once, for one frame or several."""
        sent_ns = [item.message.t_ns for item in self._items if _is_activity(item)]
        return 1 + int(np.count_nonzero(np.diff(sent_ns) > _SAME_SCAN_NS))

    def _read(self, log: Path, seconds: float) -> Iterator[Received]:
        begun_ns, picture_ns = None, 0
        for item in LogReader(log).messages(lambda stream: stream.rpartition("/")[2] in _KINDS):
            body, t_ns = item.message.body, item.message.t_ns
            if begun_ns is None and isinstance(body, Reconstruction) and body.warm:
                begun_ns = t_ns
            if begun_ns is None:
                continue
            if t_ns > begun_ns + seconds * _NS_PER_S:
                return
            if isinstance(body, Scan):
                if t_ns >= picture_ns + _PICTURE_NS:
                    picture_ns = t_ns
                    yield _with(item, self._picture(body))
            else:
                yield item

    def _picture(self, scan: Scan) -> FieldOfView:
        counts = scan.pixels_counts.astype(np.float32)
        return field_of_view(PlaneField(scan.plane, self._rois, counts, scan.number, scan.t_end_ns))

    def _feed(self, push: Push, clock: Clock, stop: threading.Event) -> None:
        first_ns = self._items[0].message.t_ns
        field = PlaneField(0, self._rois, np.zeros(self._rois.shape, np.float32), 0, 0)
        push([_with(self._items[0], body) for body in plane_neurons([field], None)])
        later = (clock.now_ns() - first_ns) * _RATE_HZ // _NS_PER_S
        while not stop.is_set():
            for item in self._items:
                due_ns = item.message.t_ns + later * _NS_PER_S // _RATE_HZ
                if stop.wait(max(0, due_ns - clock.now_ns()) / _NS_PER_S):
                    return
                push([_later(item, later)])
            later += self._round_frames


def _is_frame(item: Received) -> bool:
    return isinstance(item.message.body, Reconstruction)


def _is_activity(item: Received) -> bool:
    return isinstance(item.message.body, Responses)


def _with(item: Received, body: Body) -> Received:
    return replace(item, message=replace(item.message, body=body))


def _later(item: Received, frames: int) -> Received:
    """`item` as it would be `frames` frames of the grid later."""
    later_ns = frames * _NS_PER_S // _RATE_HZ
    body, changed = item.message.body, dict[str, Any]()
    for name in (one.name for one in fields(body)):
        if name.startswith("t_") and name.endswith("_ns"):
            changed[name] = getattr(body, name) + later_ns
        elif name == "frame":
            changed[name] = getattr(body, name) + frames
    t_ns = item.message.t_ns + later_ns
    return Received(replace(item.message, t_ns=t_ns, body=replace(body, **changed)), t_ns)
