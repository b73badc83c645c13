"""Field of view and ROIs from the decoder to the page, unrecorded and twice a second."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtdecode.calcium.field_picture import (
    PlaneField,
    field_of_view,
    plane_neurons,
    unplaced_neurons,
)
from rtdecode.pipeline.planes_stage import CalciumStage
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.interfaces import Clock

_PERIOD_NS = 500_000_000
_NS_PER_S = 1e9
_LONGEST_DELAY_NS = 1_500_000_000


class FieldViews:
    """Publishes the field of view of each plane twice a second, and the neurons once.

    A picture is made after the results of a batch have been sent. After a batch that took longer
    than a frame period the next one waits already, and the picture is put off, for 2 s at most.

    Parameters
    ----------
    places
        (neuron, 2) preferred places of all neurons, where the twin has them.
    hz
        Rate of the frame grid.
    """

    def __init__(
        self,
        stage: CalciumStage,
        publisher: Publisher,
        *,
        clock: Clock,
        places: NDArray[np.float32] | None,
        hz: float,
    ) -> None:
        self._stage, self._publisher, self._clock = stage, publisher, clock
        self._places, self._frame_ns = places, _NS_PER_S / hz
        self._due_ns, self._turn, self._described = 0, 0, False
        self._newest: dict[int, int] = {}

    def publish(self, step_ns: int) -> None:
        """Publish what is due after a batch that took `step_ns`."""
        now_ns = self._clock.now_ns()
        busy = step_ns > self._frame_ns and now_ns < self._due_ns + _LONGEST_DELAY_NS
        if now_ns < self._due_ns or (busy and self._described):
            return
        fields = self._stage.fields
        # planes follow each other, so that one turn makes one picture
        self._due_ns = now_ns + _PERIOD_NS // max(1, len(fields or ()))
        if not self._described:
            self._describe(fields)
        if fields:
            self._turn += 1
            self._publish_picture(fields[self._turn % len(fields)])

    def _describe(self, fields: Sequence[PlaneField] | None) -> None:
        """Send ROIs and places as soon as the neurons are known."""
        count = self._stage.neurons
        if fields:
            found = list(plane_neurons(fields, self._places))
        elif fields is None and count:
            found = [unplaced_neurons(count, self._places)]
        else:
            return
        self._described = True
        for one in found:
            self._publisher.announce_to_all(one)

    def _publish_picture(self, field: PlaneField) -> None:
        if field.number >= 0 and self._newest.get(field.plane) != field.number:
            self._newest[field.plane] = field.number
            self._publisher.announce(field_of_view(field))
