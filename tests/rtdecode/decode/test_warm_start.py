"""A window that moves on keeps what it knows."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.decode.horizon import FreeBlock, Memory, begun_from, fresh_memory, shifted
from rtdecode.decode.prior import VideoPrior

FREE, HISTORY = 5, 3
FLAT = VideoPrior(
    mean=torch.full((3, 4), 100.0),
    power=torch.full((2, 3), 4.0),
    autoregression=torch.tensor([0.8, 0.1])[:, None, None].expand(2, 2, 3),
    innovation_sd=torch.full((2, 3), 0.7),
)
BLOCK = FreeBlock(FLAT, frames=FREE)


def some_memory(*, history: int = HISTORY, seed: int = 0) -> Memory:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Memory(
        u=normal(FREE, 2, 3),
        velocity=normal(FREE, 2, 3),
        past=normal(max(2, history), 2, 3),
    )


def video_of(memory: Memory) -> torch.Tensor:
    """All frames that a memory stands for, oldest first."""
    free = BLOCK.coefficients(memory.u, memory.past)
    return BLOCK.basis.video(torch.cat([memory.past, free]))


def assert_alike(one: Memory, other: Memory) -> None:
    for field in fields(Memory):
        torch.testing.assert_close(getattr(one, field.name), getattr(other, field.name))


def test_shift_by_0_is_the_same_memory() -> None:
    memory = some_memory()
    assert shifted(memory, BLOCK, frames=0) is memory


@given(frames=st.integers(1, 12), seed=st.integers(0, 20))
def test_shift_by_k_is_k_shifts_by_one(frames: int, seed: int) -> None:
    stepped = memory = some_memory(seed=seed)
    for _ in range(frames):
        stepped = shifted(stepped, BLOCK, frames=1)
    assert_alike(shifted(memory, BLOCK, frames=frames), stepped)


@given(frames=st.integers(1, FREE), seed=st.integers(0, 20))
def test_frames_that_stay_keep_their_video_and_their_motion(frames: int, seed: int) -> None:
    memory = some_memory(seed=seed)
    moved = shifted(memory, BLOCK, frames=frames)
    for before, after in [(memory.u, moved.u), (memory.velocity, moved.velocity)]:
        assert (after[: FREE - frames] == before[frames:]).all()
    torch.testing.assert_close(
        video_of(moved)[: HISTORY + FREE - frames], video_of(memory)[frames:]
    )


def test_a_new_frame_is_the_prior_s_prediction() -> None:
    memory = some_memory()
    coefficients = BLOCK.coefficients(memory.u, memory.past)
    expected = BLOCK.basis.video((0.8 * coefficients[-1] + 0.1 * coefficients[-2])[None])
    moved = shifted(memory, BLOCK, frames=1)
    torch.testing.assert_close(video_of(moved)[-1:], expected)
    assert not moved.u[-1].any()
    assert not moved.velocity[-1].any()


@pytest.mark.parametrize("frames", [1, FREE, 9])
@pytest.mark.parametrize("history", [0, HISTORY])
def test_the_past_keeps_its_length(frames: int, history: int) -> None:
    memory = some_memory(history=history)
    assert len(shifted(memory, BLOCK, frames=frames).past) == len(memory.past)


def test_nothing_seen_is_the_mean_video() -> None:
    memory = fresh_memory(BLOCK, history=HISTORY)
    assert (video_of(memory) == 100).all()
    assert len(video_of(memory)) == HISTORY + FREE


@given(seed=st.integers(0, 20))
def test_a_newest_frame_that_is_begun_anew_is_the_only_one_that_changes(seed: int) -> None:
    memory = some_memory(seed=seed)
    wanted = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed + 100))
    begun = begun_from(memory, BLOCK, wanted)
    now, before = video_of(begun), video_of(memory)
    torch.testing.assert_close(now[:-1], before[:-1])
    torch.testing.assert_close(now[-1:], BLOCK.basis.video(wanted[None]), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(begun.velocity, memory.velocity)
