"""The decoder publishes the field of view twice a second, if it has time, and the neurons once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from rtdecode.calcium.field_picture import PlaneField
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.pipeline.field_views import FieldViews
from rtdecode.schema.messages import Body
from rtdecode.schema.microscope import FieldOfView, PlaneNeurons

TURN_NS = 33_333_333


def plane_field(plane: int, number: int) -> PlaneField:
    rois = rois_from_lists((16, 16), [(np.array([k]), np.ones(1)) for k in range(3)])
    return PlaneField(plane, rois, np.ones((16, 16), np.float32), number, number)


@dataclass
class Stage:
    """A calcium stage as far as `FieldViews` uses it."""

    fields: Sequence[PlaneField] | None
    neurons: int | None = 3


@dataclass
class Published:
    """Sink in place of the decoder's publisher."""

    passing: list[Body] = field(default_factory=list)
    lasting: list[Body] = field(default_factory=list)

    def announce(self, body: Body) -> None:
        self.passing.append(body)

    def announce_to_all(self, body: Body) -> None:
        self.lasting.append(body)


@dataclass
class TurnClock:
    t_ns: int = 10**12

    def now_ns(self) -> int:
        return self.t_ns

    def sleep_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


def views(stage: Stage) -> tuple[FieldViews, Published, TurnClock]:
    published, clock = Published(), TurnClock()
    places = np.linspace(-2, 2, 12).reshape(6, 2).astype(np.float32)
    into: Any = published
    made = FieldViews(stage_of(stage), into, clock=clock, places=places, hz=30.0)
    return made, published, clock


def stage_of(stage: Any) -> Any:
    return stage


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_each_plane_is_published_twice_a_second_and_its_neurons_once(planes: int) -> None:
    stage = Stage([])
    made, published, clock = views(stage)
    for turn in range(300):
        if turn >= 30:
            stage.fields = [plane_field(plane, turn) for plane in range(planes)]
        made.publish(TURN_NS // 2)
        clock.t_ns += TURN_NS
    seen = [body.plane for body in published.passing if isinstance(body, FieldOfView)]
    per_s = {plane: seen.count(plane) / 9 for plane in set(seen)}
    assert set(per_s) == set(range(planes))
    assert all(1.6 < rate <= 2.2 for rate in per_s.values())
    described = [body for body in published.lasting if isinstance(body, PlaneNeurons)]
    assert [(body.plane, body.first_neuron) for body in described] == [
        (plane, 3 * plane) for plane in range(planes)
    ]
    assert all(np.abs(body.place_x).max() <= 1 for body in described[:2])


def test_a_decoder_without_time_to_spare_puts_pictures_off_for_2_s_at_most() -> None:
    stage = Stage([])
    made, published, clock = views(stage)
    for turn in range(300):
        stage.fields = [plane_field(0, turn)]
        made.publish(2 * TURN_NS)
        clock.t_ns += TURN_NS
    assert 4 <= len(published.passing) <= 6


def test_a_scan_that_stays_is_published_once() -> None:
    made, published, clock = views(Stage([plane_field(0, 7)]))
    for _ in range(100):
        made.publish(0)
        clock.t_ns += TURN_NS
    assert len(published.passing) == 1


def test_a_source_of_roi_values_has_places_and_no_picture() -> None:
    made, published, _ = views(Stage(None))
    made.publish(0)
    (body,) = published.lasting
    assert isinstance(body, PlaneNeurons)
    assert (body.rows_px, body.roi_pixels.size, len(body.place_x)) == (0, 0, 3)
    assert published.passing == []


def test_nothing_is_published_before_the_neurons_are_known() -> None:
    made, published, _ = views(Stage([], neurons=None))
    made.publish(0)
    assert published == Published()
