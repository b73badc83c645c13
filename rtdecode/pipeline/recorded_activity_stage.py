"""The stage in place of the calcium chain for activity that a data set already holds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rtdecode.pipeline.planes_stage import Out
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received, Responses
from rtdecode.schema.recorded_activity import RecordedActivity


class RecordedActivityStage:
    """Passes recorded activity on as responses, unchanged and with its causality.

    It has no ROIs and no calibration, so nothing is kept of it.
    """

    calibrated = True
    fields = None
    rois_hash = ""
    neurons: int | None = None
    kept: Mapping[str, str] = {}

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if not isinstance(body, RecordedActivity):
                continue
            self.neurons = len(body.activity)
            yield Responses(
                activity=body.activity,
                valid=body.valid,
                frame=body.frame,
                t_frame_start_ns=body.t_frame_start_ns,
                t_scan_ns=(body.t_frame_start_ns + body.t_frame_end_ns) // 2,
                t_scan_end_ns=body.t_frame_end_ns,
                t_received_ns=item.t_received_ns,
                t_ready_ns=self._clock.now_ns(),
                causality=body.causality,
                trial=body.trial,
            )

    def save(self, folder: Path) -> None:
        """Write nothing."""
