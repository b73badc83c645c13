"""The compact twin is causal, and its subunits are the same at every site and time."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rtdecode.twins.compact.network import DEFAULT_SIZES, Compact
from rtdecode.twins.twin import TwinSpec

SIZES = {
    "hidden": 8,
    "features": 4,
    "filter_px": 6,
    "taps": 8,
    "response_taps": 3,
    "temporal_stride": 2,
}
ROWS, COLS, FRAMES, NEURONS = 12, 16, 30, 6


def compact(rows: int = ROWS, cols: int = COLS, *, seed: int = 0, **sizes: int) -> Compact:
    spec = TwinSpec(
        "compact",
        NEURONS,
        rows,
        cols,
        behaviour_mean=(1.0, 2.0, 3.0, 4.0),
        behaviour_sd=(1.0, 1.0, 2.0, 2.0),
        sizes={**SIZES, **sizes},
    )
    generator = torch.Generator().manual_seed(seed)
    twin = Compact(spec, generator=generator)
    twin.position.data.uniform_(-0.8, 0.8, generator=generator)
    twin.behaviour_gain.data.normal_(0, 0.3, generator=generator)
    twin.scale.uniform_(0.5, 2, generator=generator)
    return twin.requires_grad_(requires_grad=False)


def some_input(rows: int = ROWS, cols: int = COLS, *, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    video = 255 * torch.rand(1, FRAMES, rows, cols, generator=generator)
    return video, 3 + torch.randn(1, FRAMES, 4, generator=generator)


@pytest.mark.parametrize("changed", [1, 13, FRAMES - 1])
def test_later_frames_and_behaviour_do_not_change_earlier_predictions(changed: int) -> None:
    twin, (video, behaviour), (other, moved) = compact(), some_input(), some_input(seed=2)
    before = twin(video, behaviour)
    video[:, changed:], behaviour[:, changed:] = other[:, changed:], moved[:, changed:]
    after = twin(video, behaviour)
    torch.testing.assert_close(after[:, :changed], before[:, :changed], rtol=1e-5, atol=1e-6)
    assert (after[:, changed:] != before[:, changed:]).any()


def test_frames_older_than_the_history_have_no_influence() -> None:
    twin, (video, behaviour), (other, _) = compact(), some_input(), some_input(seed=2)
    reach = (SIZES["taps"] - 1) + (SIZES["response_taps"] - 1) * SIZES["temporal_stride"]
    before = twin(video, behaviour)
    video[:, 0] = other[:, 0]
    after = twin(video, behaviour)
    assert (after[:, reach - 1] != before[:, reach - 1]).any()
    torch.testing.assert_close(after[:, reach + 1 :], before[:, reach + 1 :])


@pytest.mark.parametrize("late", [1, 4])
def test_a_delayed_video_gives_a_delayed_prediction(late: int) -> None:
    """A video is constant before its first frame, so a longer beginning changes nothing."""
    twin, (video, behaviour) = compact(), some_input()
    held = torch.cat([video[:, :1].expand(-1, late, -1, -1), video[:, :-late]], 1)
    still = behaviour[:, :1].expand_as(behaviour)
    torch.testing.assert_close(twin(held, still)[:, late:], twin(video, still)[:, :-late])


def test_in_a_still_video_activity_is_steady_and_above_0() -> None:
    twin, (video, behaviour) = compact(), some_input()
    still = twin(video[:, :1].expand_as(video), behaviour[:, :1].expand_as(behaviour))
    torch.testing.assert_close(still, still[:, :1].expand_as(still))
    assert still.min() > 0


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 4), (-6, 2)])
def test_subunits_shift_with_the_image(down: int, right: int) -> None:
    """A shift by two pixels is one by one site, away from the border."""
    rows, cols = 60, 72
    twin = compact(rows, cols)
    video = torch.full((1, 9, rows, cols), 111.0)
    video[:, 3:, 26:34, 32:40] = 255 * torch.rand(
        1, 6, 8, 8, generator=torch.Generator().manual_seed(5)
    )
    moved = torch.roll(video, (down, right), (2, 3))
    one, other = twin.subunits(video, [8]), twin.subunits(moved, [8])
    torch.testing.assert_close(
        torch.roll(one, (down // 2, right // 2), (0, 1))[6:-6, 6:-6],
        other[6:-6, 6:-6],
        atol=1e-4,
        rtol=1e-4,
    )
    assert one.std() > 0.01


def test_only_pixels_near_its_position_drive_a_neuron() -> None:
    rows, cols = 40, 64
    twin = compact(rows, cols)
    twin.position.data = torch.tensor([[0.5, -0.5]]).expand(NEURONS, 2).clone()
    video = torch.full((1, 9, rows, cols), 111.0, requires_grad=True)
    rate = twin(video, torch.zeros(1, 9, 4))[0, -1].sum()
    (gradient,) = torch.autograd.grad(rate, video)
    influence = gradient[0].square().sum(0)
    y, x = np.mgrid[:rows, :cols]
    centre = (
        float((influence * torch.tensor(y)).sum()),
        float((influence * torch.tensor(x)).sum()),
    )
    # A quarter of the way down, three quarters of the way across.
    np.testing.assert_allclose(np.divide(centre, float(influence.sum())), [10, 48], atol=2.5)
    assert float(influence[:, :24].sum()) < 1e-3 * float(influence.sum())


def test_behaviour_multiplies_the_drive_of_any_video() -> None:
    twin = compact()
    running = torch.tensor([2.0, 1.0, 0.0, 5.0]).expand(1, FRAMES, 4)
    mean = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, FRAMES, 4)
    ratios = [
        twin(some_input(seed=k)[0], running) / twin(some_input(seed=k)[0], mean) for k in (1, 2)
    ]
    torch.testing.assert_close(ratios[0], ratios[1])
    torch.testing.assert_close(ratios[0], twin.gain(running))
    assert (twin.gain(mean) == 1).all()


def test_the_gain_of_behaviour_is_bounded() -> None:
    twin = compact()
    twin.behaviour_gain.data *= 1e3
    gain = twin.gain(1e6 * torch.tensor([1.0, -1.0, 1.0, -1.0]).expand(1, 1, 4))
    assert gain.max() <= np.exp(2) * 1.0001
    assert gain.min() >= np.exp(-2) * 0.9999


@pytest.mark.parametrize(("gain", "least", "most"), [(1e-6, 8, 12), (1e3, 0.8, 2)])
def test_the_contrast_gain_sets_how_much_contrast_is_normalised(
    gain: float, least: float, most: float
) -> None:
    """Ten times the contrast gives ten times the output without normalisation, and once with."""
    twin, (video, _) = compact(), some_input()
    twin.log_contrast_gain.fill_(np.log(gain))
    strong, weak = (
        twin.subunits(111.3 + share * (video - 128), [FRAMES - 1]).abs().mean()
        for share in (1.0, 0.1)
    )
    assert least < strong / weak < most


def test_videos_of_a_batch_do_not_mix() -> None:
    twin, (video, behaviour), (other, moved) = compact(), some_input(), some_input(seed=2)
    together = twin(torch.cat([video, other]), torch.cat([behaviour, moved]))
    torch.testing.assert_close(together[:1], twin(video, behaviour), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(together[1:], twin(other, moved), rtol=1e-4, atol=1e-6)


def test_parameters_have_the_sizes_of_the_description() -> None:
    shapes = {name: tuple(value.shape) for name, value in compact(streams=3).state_dict().items()}
    assert shapes == {
        "temporal": (3, 8),
        "row_filters": (4, 6),
        "col_filters": (4, 6),
        "mix": (4 * 3 * 4, 8),
        "mix_bias": (8,),
        "log_contrast_gain": (),
        "combine": (4, 8, 3, 3),
        "combine_bias": (4,),
        "position": (NEURONS, 2),
        "weights": (NEURONS, 8 + 4),
        "bias": (NEURONS,),
        "behaviour_gain": (4, NEURONS),
        "response_kernel": (3,),
        "scale": (NEURONS,),
        "behaviour_mean": (4,),
        "behaviour_sd": (4,),
    }


def test_sizes_left_out_are_the_default_ones() -> None:
    twin = Compact(TwinSpec("compact", 2))
    assert twin.temporal.shape == (DEFAULT_SIZES["streams"], DEFAULT_SIZES["taps"])
    assert twin.temporal_stride == DEFAULT_SIZES["temporal_stride"]
    assert twin(torch.zeros(1, 3, 36, 64), torch.zeros(1, 3, 4)).shape == (1, 3, 2)


def test_the_same_seed_makes_the_same_twin() -> None:
    video, behaviour = some_input()
    assert torch.equal(compact()(video, behaviour), compact()(video, behaviour))
    assert not torch.equal(compact()(video, behaviour), compact(seed=9)(video, behaviour))
