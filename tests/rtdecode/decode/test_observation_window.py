"""The window holds the last frames of the stream, however the stream was cut."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.decode.observation_window import ObservationWindow
from rtdecode.schema.errors import BehaviourChannelsError, FrameOrderError, NeuronCountError
from rtdecode.schema.messages import WindowFrame

FRAMES, NEURONS = 5, 3
MakeFrame = Callable[..., WindowFrame]

once_made = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def a_window() -> ObservationWindow:
    return ObservationWindow(neurons=NEURONS, channels=4, frames=FRAMES, twin="mouse")


def stream(make_frame: MakeFrame, numbers: list[int]) -> list[WindowFrame]:
    """Activity and behaviour that tell each frame and neuron apart."""
    return [
        make_frame(
            n, 10.0 * n + np.arange(NEURONS), behaviour=np.full(4, n, np.float32), valid=valid(n)
        )
        for n in numbers
    ]


def valid(number: int) -> np.ndarray:
    return np.arange(NEURONS) != number % 7


@once_made
@given(jumps=st.lists(st.integers(1, 7), min_size=1, max_size=20), cuts=st.sets(st.integers(1, 19)))
def test_it_holds_the_last_frames_of_the_whole_stream(
    make_frame: MakeFrame, jumps: list[int], cuts: set[int]
) -> None:
    numbers = [int(n) for n in 100 + np.cumsum(jumps)]
    items = stream(make_frame, numbers)
    window, moved = a_window(), 0
    edges = [0, *sorted(cut for cut in cuts if cut < len(items)), len(items)]
    for first, last in pairwise(edges):
        moved += window.absorb(items[first:last])
    now, newest = window.contents(), numbers[-1]
    assert moved == newest - numbers[0] + 1
    for row, number in enumerate(range(newest - FRAMES + 1, newest + 1)):
        seen = number in numbers
        measured = valid(number) * seen
        np.testing.assert_array_equal(now.measured[row], measured)
        np.testing.assert_array_equal(
            now.recorded[row], measured * (10.0 * number + np.arange(NEURONS))
        )
        latest = max((n for n in numbers if n <= number), default=numbers[0])
        np.testing.assert_array_equal(now.behaviour[row], latest)
        assert (window.source_of(number) is not None) == seen


def test_what_is_not_a_number_is_never_recorded(make_frame: MakeFrame) -> None:
    window = a_window()
    activity = np.array([1, np.nan, 3])
    window.absorb([make_frame(0, activity, valid=np.isfinite(activity))])
    np.testing.assert_array_equal(window.contents().recorded[-1], [1, 0, 3])


def test_before_the_first_frame_there_is_no_measurement_and_behaviour_is_constant(
    make_frame: MakeFrame,
) -> None:
    window = a_window()
    assert window.newest is None
    assert window.source_of(0) is None
    window.absorb(stream(make_frame, [3]))
    assert window.newest == 3
    np.testing.assert_array_equal(window.contents().behaviour, 3)
    assert not window.contents().measured[:-1].any()


def test_a_frame_outside_the_horizon_has_no_source(make_frame: MakeFrame) -> None:
    window = a_window()
    window.absorb(stream(make_frame, list(range(9))))
    assert [n for n in range(-2, 12) if window.source_of(n)] == [4, 5, 6, 7, 8]
    newest = window.source_of(8)
    assert newest is not None
    assert newest.t_scan_ns == 8001


def test_missing_frames_are_counted(make_frame: MakeFrame) -> None:
    window = a_window()
    first, later = stream(make_frame, [7, 10])
    assert window.missing_before(first) == 0
    window.absorb([first])
    assert window.missing_before(later) == 2


@pytest.mark.parametrize("number", [5, 4])
def test_a_frame_that_is_not_newer_is_refused(make_frame: MakeFrame, number: int) -> None:
    window = a_window()
    window.absorb(stream(make_frame, [5]))
    with pytest.raises(FrameOrderError, match=f"frame {number} after frame 5"):
        window.absorb(stream(make_frame, [number]))


def test_other_neurons_or_channels_than_the_twin_s_are_refused(make_frame: MakeFrame) -> None:
    with pytest.raises(NeuronCountError, match="2 neurons, but twin 'mouse' was trained on 3"):
        a_window().absorb([make_frame(0, np.zeros(2))])
    with pytest.raises(BehaviourChannelsError, match="3 behaviour channels"):
        a_window().absorb([make_frame(0, np.zeros(3), behaviour=np.zeros(3, np.float32))])
