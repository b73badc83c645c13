"""The still twin equals torch's functions, frame by frame."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rtdecode.twins.still import DEFAULT_SIZES, Still
from rtdecode.twins.twin import TwinSpec

ROWS, COLS, NEURONS = 12, 14, 4
SIZES = {"channels": 6, "layers": 3, "first_px": 5, "later_px": 3}


def still(**sizes: int) -> Still:
    twin = Still(TwinSpec("still", NEURONS, ROWS, COLS, sizes={**SIZES, **sizes}))
    generator = torch.Generator().manual_seed(0)
    for name, value in twin.state_dict().items():
        if value.is_floating_point():
            value.normal_(0, 0.5, generator=generator)
        if name.endswith("running_var"):
            value.square_().add_(0.5)
    return twin.requires_grad_(requires_grad=False).eval()


def images(count: int = 5) -> Tensor:
    return 255 * torch.rand(1, count, ROWS, COLS, generator=torch.Generator().manual_seed(1))


def nothing(video: Tensor) -> Tensor:
    return torch.zeros(*video.shape[:2], 4)


def written_out(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """(neuron,) of one image, from torch's functions alone."""

    def normal(maps: Tensor, name: str) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(maps, *(state[f"core.{name}.norm.{part}"] for part in names))

    maps = (image[None, None] - 111.3) / 60.9
    maps = functional.elu(normal(functional.conv2d(maps, state["core.0.conv.weight"]), "0"))
    for layer in ("1", "2"):
        mixed = functional.conv2d(maps, state[f"core.{layer}.mix_in.weight"])
        alone = functional.conv2d(mixed, state[f"core.{layer}.filter.weight"], padding=1, groups=6)
        maps = functional.elu(
            normal(functional.conv2d(alone, state[f"core.{layer}.mix_out.weight"]), layer)
        )
    at = state["position"].clamp(-1, 1)[None, :, None]
    read = functional.grid_sample(maps, at, align_corners=True)[0, :, :, 0]
    drive = (read * state["weights"].T).sum(0) + state["bias"]
    return functional.elu(drive) + 1


def test_the_prediction_equals_that_of_torch_s_functions() -> None:
    twin, video = still(), images()
    expected = torch.stack([written_out(twin.state_dict(), image) for image in video[0]])
    torch.testing.assert_close(twin(video, nothing(video))[0], expected, rtol=1e-4, atol=1e-4)


def test_each_frame_is_predicted_from_itself_alone() -> None:
    twin, video = still(), images()
    order = torch.tensor([3, 0, 4, 1, 2])
    shuffled = twin(video[:, order], nothing(video))
    torch.testing.assert_close(shuffled, twin(video, nothing(video))[:, order])


def test_behaviour_has_no_influence() -> None:
    twin, video = still(), images()
    assert torch.equal(twin(video, nothing(video) + 7), twin(video, nothing(video)))


def test_activity_is_never_below_0() -> None:
    twin, video = still(), images()
    twin.bias.data -= 100
    assert twin(video, nothing(video)).min() >= 0


@pytest.mark.parametrize(
    ("x", "y", "centre"), [(-1.0, -1.0, (2, 2)), (1.0, 1.0, (9, 11)), (0.0, 0.0, (5.5, 6.5))]
)
def test_a_receptive_centre_is_the_middle_of_the_pixels_with_influence(
    x: float, y: float, centre: tuple[float, float]
) -> None:
    """With one layer, the pixels with influence are the filters around the four sites."""
    twin = still(layers=1)
    twin.position.data[:] = torch.tensor([x, y])
    np.testing.assert_allclose(twin.receptive_centres_px(), [centre] * NEURONS, atol=1e-5)
    image = torch.full((1, 1, ROWS, COLS), 111.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(twin(image, torch.zeros(1, 1, 4)).sum(), image)
    influence = gradient[0, 0].abs().numpy()
    rows, cols = np.nonzero(influence > 1e-5 * influence.max())
    assert (rows.min() + rows.max()) / 2 == centre[0]
    assert (cols.min() + cols.max()) / 2 == centre[1]


def test_default_sizes_are_the_published_ones() -> None:
    twin = Still(TwinSpec("still", 2))
    assert twin.weights.shape == (2, DEFAULT_SIZES["channels"])
    assert (twin.map_rows, twin.map_cols) == (28, 56)
    assert len(twin.core) == DEFAULT_SIZES["layers"]
