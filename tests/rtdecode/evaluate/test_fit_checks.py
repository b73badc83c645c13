"""A fit warns of a result that should not be relied on, and of nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from rtdecode.evaluate.fit_checks import (
    FEWEST_CLIPS,
    chance_warning,
    clip_warning,
    edge_warning,
    warnings,
)


@given(clips=st.integers(0, 100), clip_s=st.floats(0.5, 600))
def test_what_is_missing_to_thirty_clips_is_what_to_record(clips: int, clip_s: float) -> None:
    found = clip_warning(clips, clip_s=clip_s)
    assert (found is None) == (clips >= FEWEST_CLIPS)
    if found is not None:
        assert f"record {FEWEST_CLIPS - clips} more" in found


def test_a_correlation_must_be_above_all_of_those_by_chance() -> None:
    def warned(r: float) -> bool:
        return chance_warning(r, [0.01, -0.02, float("nan")], what="it", remedy="look") is not None

    assert [warned(r) for r in (0.2, 0.01, -0.3, float("nan"))] == [False, True, True, True]
    assert chance_warning(0.0, [float("nan")], what="it", remedy="look") is None


def test_a_penalty_at_either_edge_of_the_grid_is_named() -> None:
    grid = (0.1, 1.0, 10.0)
    assert edge_warning(1.0, grid, grid) is None
    assert "the highest of those tried" in (edge_warning(10.0, grid, grid) or "")
    assert "the lowest of those tried" in (edge_warning(0.1, grid[:2], grid) or "")


def test_only_what_was_found_is_said() -> None:
    assert list(warnings(None, "one", None, "two")) == ["one", "two"]
