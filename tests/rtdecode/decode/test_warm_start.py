"""A window that moves on keeps what it knows."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.decode.horizon import (
    EstimatedFrames,
    SolverState,
    initial_state,
    shifted,
    with_newest_frame,
)
from rtdecode.decode.prior import VideoPrior

FREE, HISTORY = 5, 3
FLAT = VideoPrior(
    mean=torch.full((3, 4), 100.0),
    power=torch.full((2, 3), 4.0),
    autoregression=torch.tensor([0.8, 0.1])[:, None, None].expand(2, 2, 3),
    innovation_sd=torch.full((2, 3), 0.7),
)
BLOCK = EstimatedFrames(FLAT, frames=FREE)


def some_memory(*, history: int = HISTORY, seed: int = 0) -> SolverState:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return SolverState(
        u=normal(FREE, 2, 3),
        velocity=normal(FREE, 2, 3),
        past=normal(max(2, history), 2, 3),
    )


def video_of(state: SolverState) -> torch.Tensor:
    """All frames that a state stands for, oldest first."""
    estimated = BLOCK.coefficients(state.u, state.past)
    return BLOCK.basis.video(torch.cat([state.past, estimated]))


def assert_alike(one: SolverState, other: SolverState) -> None:
    for field in fields(SolverState):
        torch.testing.assert_close(getattr(one, field.name), getattr(other, field.name))


def test_shift_by_0_is_the_same_memory() -> None:
    state = some_memory()
    assert shifted(state, BLOCK, frames=0) is state


@given(frames=st.integers(1, 12), seed=st.integers(0, 20))
def test_shift_by_k_is_k_shifts_by_one(frames: int, seed: int) -> None:
    stepped = state = some_memory(seed=seed)
    for _ in range(frames):
        stepped = shifted(stepped, BLOCK, frames=1)
    assert_alike(shifted(state, BLOCK, frames=frames), stepped)


@given(frames=st.integers(1, FREE), seed=st.integers(0, 20))
def test_frames_that_stay_keep_their_video_and_their_motion(frames: int, seed: int) -> None:
    state = some_memory(seed=seed)
    moved = shifted(state, BLOCK, frames=frames)
    for before, after in [(state.u, moved.u), (state.velocity, moved.velocity)]:
        assert (after[: FREE - frames] == before[frames:]).all()
    torch.testing.assert_close(video_of(moved)[: HISTORY + FREE - frames], video_of(state)[frames:])


def test_a_new_frame_is_the_prior_s_prediction() -> None:
    state = some_memory()
    coefficients = BLOCK.coefficients(state.u, state.past)
    expected = BLOCK.basis.video((0.8 * coefficients[-1] + 0.1 * coefficients[-2])[None])
    moved = shifted(state, BLOCK, frames=1)
    torch.testing.assert_close(video_of(moved)[-1:], expected)
    assert not moved.u[-1].any()
    assert not moved.velocity[-1].any()


@pytest.mark.parametrize("frames", [1, FREE, 9])
@pytest.mark.parametrize("history", [0, HISTORY])
def test_the_past_keeps_its_length(frames: int, history: int) -> None:
    state = some_memory(history=history)
    assert len(shifted(state, BLOCK, frames=frames).past) == len(state.past)


def test_the_initial_state_is_the_mean_video() -> None:
    state = initial_state(BLOCK, history=HISTORY)
    assert (video_of(state) == 100).all()
    assert len(video_of(state)) == HISTORY + FREE


@given(seed=st.integers(0, 20))
def test_a_newest_frame_that_is_begun_anew_is_the_only_one_that_changes(seed: int) -> None:
    state = some_memory(seed=seed)
    wanted = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed + 100))
    begun = with_newest_frame(state, BLOCK, wanted)
    now, before = video_of(begun), video_of(state)
    torch.testing.assert_close(now[:-1], before[:-1])
    torch.testing.assert_close(now[-1:], BLOCK.basis.video(wanted[None]), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(begun.velocity, state.velocity)
