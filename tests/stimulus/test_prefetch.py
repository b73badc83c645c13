"""A prefetcher yields the frames of its presentations in order, made ahead of time."""

from collections.abc import Iterator, Mapping
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimulus.prefetch import FramePrefetcher, Presentation

Frame = tuple[int, int, float]
"""Place of the presentation, index of the frame, and value of the parameter."""


def presentation(place: int, length: int) -> Presentation[Frame]:
    def frames(parameters: Mapping[str, float]) -> Iterator[Frame]:
        return ((place, index, parameters.get("contrast", 1.0)) for index in range(length))

    return frames


def presentations(lengths: list[int]) -> Iterator[Presentation[Frame]]:
    return (presentation(place, length) for place, length in enumerate(lengths))


@given(lengths=st.lists(st.integers(0, 7), max_size=8), ahead=st.integers(1, 9))
def test_all_frames_come_in_order(lengths: list[int], ahead: int) -> None:
    with FramePrefetcher(presentations(lengths), ahead=ahead) as frames:
        assert list(frames) == [
            (place, index, 1.0) for place, length in enumerate(lengths) for index in range(length)
        ]
        assert next(frames, None) is None


@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=8),
    ahead=st.integers(1, 9),
    skipped=st.sets(st.integers(0, 40)),
)
def test_a_skip_continues_with_the_first_frame_of_the_next_presentation(
    lengths: list[int], ahead: int, skipped: set[int]
) -> None:
    with FramePrefetcher(presentations(lengths), ahead=ahead) as frames:
        before = None
        for n, (place, index, _) in enumerate(frames):
            was_skipped = n - 1 in skipped
            if before is not None:
                is_over = was_skipped or before[1] == lengths[before[0]] - 1
                assert (place, index) == (
                    (before[0] + 1, 0) if is_over else (before[0], before[1] + 1)
                )
            before = (place, index)
            if n in skipped:
                frames.skip()
                frames.skip()  # a second one before the next frame changes nothing


@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=8),
    ahead=st.integers(1, 9),
    changes=st.dictionaries(st.integers(0, 40), st.floats(0, 1), max_size=6),
    skipped=st.sets(st.integers(0, 40), max_size=3),
)
def test_a_parameter_changes_between_presentations_and_no_frame_is_lost(
    lengths: list[int], ahead: int, changes: dict[int, float], skipped: set[int]
) -> None:
    values, versions, before = [1.0], list[int](), None
    with FramePrefetcher(presentations(lengths), ahead=ahead) as frames:
        for n, (place, index, value) in enumerate(frames):
            assert value == values[frames.version]
            if before is not None:
                is_over = n - 1 in skipped or before[1] == lengths[before[0]] - 1
                assert (place, index) == (
                    (before[0] + 1, 0) if is_over else (before[0], before[1] + 1)
                )
                assert frames.version == versions[-1] or index == 0
                assert frames.version >= versions[-1]
            versions.append(frames.version)
            before = (place, index)
            if n in changes:
                values.append(changes[n])
                assert frames.change({"contrast": changes[n]}) == len(values) - 1
            if n in skipped:
                frames.skip()


def test_a_change_is_in_effect_with_the_next_presentation_that_can_be_made_in_time() -> None:
    made = Event()

    def second(parameters: Mapping[str, float]) -> Iterator[float]:
        yield parameters.get("contrast", 1.0)
        made.set()

    order: list[Presentation[float]] = [lambda _: iter([0.0]), second]
    with FramePrefetcher(iter(order), ahead=3) as frames:
        assert next(frames) == 0.0
        assert made.wait(60)
        made.clear()
        frames.change({"contrast": 0.5})
        assert made.wait(60)
        assert list(frames) == [0.5]
        assert frames.version == 1


def test_a_change_that_comes_too_late_for_a_presentation_does_not_delay_it() -> None:
    proceed = Event()

    def slow(parameters: Mapping[str, float]) -> Iterator[float]:
        if parameters:
            assert proceed.wait(60)
        yield parameters.get("contrast", 1.0)

    with FramePrefetcher(iter([slow] * 3), ahead=3) as frames:
        assert next(frames) == 1.0
        frames.change({"contrast": 0.5})
        assert next(frames) == 1.0  # it would wait for the other thread otherwise
        proceed.set()
        assert list(frames) in ([0.5], [1.0])


def test_the_given_number_of_frames_is_made_ahead() -> None:
    made, enough = [], Event()

    def numbers(_: Mapping[str, float]) -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 4:
                enough.set()
            yield number

    with FramePrefetcher(iter([numbers]), ahead=5) as frames:
        assert enough.wait(60)
        assert made == [0, 1, 2, 3, 4]
        assert next(frames) == 0


def test_an_error_is_raised_at_the_position_of_its_frame() -> None:
    def broken(_: Mapping[str, float]) -> Iterator[int]:
        yield 1
        yield 2
        raise FileNotFoundError

    with FramePrefetcher(iter([broken]), ahead=8) as frames:
        assert [next(frames), next(frames)] == [1, 2]
        with pytest.raises(FileNotFoundError):
            next(frames)
