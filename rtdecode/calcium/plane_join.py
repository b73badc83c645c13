"""Joins the responses of several planes, which arrive one by one, into those of all neurons."""

from collections.abc import Iterator, Sequence

import numpy as np

from rtdecode.schema.messages import Responses

_PATIENCE_FRAMES = 60
"""Number of frames (2 s) after which the other planes no longer wait for a plane."""


class PlaneJoin:
    """Concatenates the neurons of several planes, frame by frame.

    A frame is complete when every plane has contributed to it. The neurons of a plane that
    skipped the frame, or is two seconds behind, are invalid in it; a later contribution to a
    frame that was already emitted is discarded.
    """

    def __init__(self, planes: int) -> None:
        self._waiting: dict[int, list[Responses | None]] = {}
        self._newest: list[int | None] = [None] * planes
        self._last = -1

    def completed_frames(
        self, responses: Responses, *, place: int, counts: Sequence[int | None]
    ) -> Iterator[Responses]:
        """Frames that `responses` complete, in order.

        Parameters
        ----------
        responses
            Responses of the neurons of one plane.
        place
            Position of this plane among all planes, from 0.
        counts
            Number of neurons of each plane; None where it is still unknown. No frame is emitted
            before all are known.
        """
        if responses.frame <= self._last:
            return
        empty: list[Responses | None] = [None] * len(self._newest)
        self._waiting.setdefault(responses.frame, empty)[place] = responses
        self._newest[place] = responses.frame
        known = [count for count in counts if count is not None]
        if len(known) < len(self._newest):
            return
        for frame in sorted(frame for frame in self._waiting if frame <= self._newest_complete()):
            self._last = frame
            yield _joined(self._waiting.pop(frame), known)

    def _newest_complete(self) -> int:
        """The newest frame to which no further contribution is expected."""
        given = [frame for frame in self._newest if frame is not None]
        late = max(given) - _PATIENCE_FRAMES
        slowest = min(given) if len(given) == len(self._newest) else late
        return max(slowest, late)


def _joined(parts: Sequence[Responses | None], counts: Sequence[int]) -> Responses:
    given = [part for part in parts if part is not None]
    # times of the plane that was scanned last: the frame cannot be ready before it
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
