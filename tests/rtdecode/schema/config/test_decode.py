"""The window contains the lag, and a frame is estimated until it is sent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rtdecode.schema.config.decode import DecodeConfig, Device, EmitConfig


@given(window=st.integers(1, 60), lag=st.integers(0, 60), free=st.none() | st.integers(1, 60))
def test_a_frame_is_estimated_until_it_is_sent(window: int, lag: int, free: int | None) -> None:
    settings = {"window_frames": window, "lag_frames": lag, "estimated_frames": free}
    try:
        config = DecodeConfig.model_validate(settings)
    except ValidationError:
        assert lag >= window or (free is not None and free <= lag)
    else:
        assert config.lag_frames < config.estimated_frames_used <= config.window_frames


def test_by_default_four_frames_beyond_the_lag_are_estimated() -> None:
    assert DecodeConfig(lag_frames=8).estimated_frames_used == 12
    assert DecodeConfig(lag_frames=30, window_frames=32).estimated_frames_used == 32
    assert DecodeConfig(estimated_frames=20).estimated_frames_used == 20


@pytest.mark.parametrize("lag", [36, 40])
def test_a_lag_outside_the_window_is_refused(lag: int) -> None:
    with pytest.raises(ValidationError, match=rf"lag_frames={lag} .*below window_frames=36"):
        DecodeConfig(lag_frames=lag)


def test_too_few_estimated_frames_are_refused() -> None:
    with pytest.raises(ValidationError, match="estimated_frames=8 must be above lag_frames=8"):
        DecodeConfig(lag_frames=8, estimated_frames=8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"deadline_ms": 0},
        {"likelihood_weight": -1},
        {"lag": 3},
        {"forecast_frames": 1},
        {"forecast_frames": 5, "lag_frames": 0},
        {"deadline_ms": "inf"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DecodeConfig.model_validate(wrong)


def test_a_frame_that_takes_no_time_is_never_late_by_config() -> None:
    assert EmitConfig(budget_ms=0).budget_ms == 0
    with pytest.raises(ValidationError, match="budget_ms"):
        EmitConfig(budget_ms=-1)


def test_one_twin_or_several_are_the_folders_that_are_decoded_with() -> None:
    assert DecodeConfig().twin_folders == ()
    assert DecodeConfig(twin=Path("a")).twin_folders == (Path("a"),)
    assert DecodeConfig.model_validate({"twins": ["a", "b"]}).twin_folders == (Path("a"), Path("b"))
    assert DecodeConfig().device is Device.AUTO


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"twin": "a", "twins": ["a", "b"]}, "twin=a and twins are both given"),
        ({"twins": ["a", "b", "a"]}, "twins names a twice"),
        ({"device": "gpu"}, "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_twins_that_are_given_twice_and_unknown_devices_are_refused(
    given_: dict[str, object], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        DecodeConfig.model_validate(given_)
