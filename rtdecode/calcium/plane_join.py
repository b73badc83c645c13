"""Responses of several planes, each at its own moment, to those of all their neurons."""

from collections.abc import Iterator, Sequence

import numpy as np

from rtdecode.schema.messages import Responses

_PATIENCE_FRAMES = 60
"""A plane that is so far behind has stopped, and the others go on without it."""


class PlaneJoin:
    """Puts the neurons of several planes one after the other, frame by frame.

    A frame goes out when every plane has given it. The neurons of a plane that left it out, or
    fell two seconds behind, are invalid in it; what such a plane gives afterwards for a frame that
    has gone out is left out.
    """

    def __init__(self, planes: int) -> None:
        self._waiting: dict[int, list[Responses | None]] = {}
        self._newest: list[int | None] = [None] * planes
        self._last = -1

    def take(
        self, responses: Responses, *, place: int, counts: Sequence[int | None]
    ) -> Iterator[Responses]:
        """Frames that are whole with `responses` of the plane at `place`.

        `counts` is the number of neurons of each plane, None where that is not known yet: until
        all are known, frames wait.
        """
        if responses.frame <= self._last:
            return
        empty: list[Responses | None] = [None] * len(self._newest)
        self._waiting.setdefault(responses.frame, empty)[place] = responses
        self._newest[place] = responses.frame
        known = [count for count in counts if count is not None]
        if len(known) < len(self._newest):
            return
        for frame in sorted(frame for frame in self._waiting if frame <= self._whole()):
            self._last = frame
            yield _joined(self._waiting.pop(frame), known)

    def _whole(self) -> int:
        """The newest frame for which nothing is waited for any more."""
        given = [frame for frame in self._newest if frame is not None]
        late = max(given) - _PATIENCE_FRAMES
        slowest = min(given) if len(given) == len(self._newest) else late
        return max(slowest, late)


def _joined(parts: Sequence[Responses | None], counts: Sequence[int]) -> Responses:
    given = [part for part in parts if part is not None]
    newest = max(given, key=lambda part: part.t_scan_end_ns)
    return Responses(
        activity=np.concatenate(
            [
                np.zeros(count, np.float32) if part is None else part.activity
                for part, count in zip(parts, counts, strict=True)
            ]
        ),
        valid=np.concatenate(
            [
                np.zeros(count, bool) if part is None else part.valid
                for part, count in zip(parts, counts, strict=True)
            ]
        ),
        frame=newest.frame,
        t_frame_start_ns=newest.t_frame_start_ns,
        t_scan_ns=newest.t_scan_ns,
        t_scan_end_ns=newest.t_scan_end_ns,
        t_received_ns=newest.t_received_ns,
        t_ready_ns=max(part.t_ready_ns for part in given),
    )
