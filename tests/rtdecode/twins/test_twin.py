"""Every twin has a description that survives JSON, tails, and gradients that are right."""

import json

import pytest
import torch
from torch import Tensor

from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import AnyTwin
from rtdecode.twins.linear import Linear
from rtdecode.twins.readout import preferred_places
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TailTwin, Twin, TwinSpec, predict_tail

FRAMES = 40
SIZES = {
    "compact": {"hidden": 6, "features": 4, "filter_px": 6},
    "linear": {"taps": 3},
    "still": {"channels": 6, "layers": 3, "first_px": 5, "later_px": 3},
    "dwiseneuro": {"expansion": 3, "squeeze": 2, "space_px": 3, "taps": 3, "groups": 2}
    | {"hop_frames": 16, "core_0": 2, "core_1": 4, "cortex_0": 4},
}
KINDS: list[type[AnyTwin]] = [Compact, Linear, Still, DwiseNeuro]


def compact(stride: int) -> Compact:
    sizes = {"hidden": 6, "features": 4, "filter_px": 5, "taps": 8, "response_taps": 3}
    spec = TwinSpec("compact", 5, 8, 10, sizes={**sizes, "temporal_stride": stride})
    twin = Compact(spec, generator=torch.Generator().manual_seed(2))
    twin.behaviour_gain.data.normal_(generator=torch.Generator().manual_seed(3))
    return twin.requires_grad_(False)


def some_input(rows: int, cols: int, *, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    video = 255 * torch.rand(batch, FRAMES, rows, cols, generator=generator)
    return video, torch.randn(batch, FRAMES, 4, generator=generator)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 9, 12])
def test_a_compact_tail_equals_that_of_the_whole_prediction(stride: int, frames: int) -> None:
    twin, (video, behaviour) = compact(stride), some_input(8, 10)
    whole = twin(video, behaviour)
    tail = predict_tail(twin, video, behaviour, frames=frames, stride=stride)
    torch.testing.assert_close(
        tail, whole[:, FRAMES - 1 - (frames - 1) // stride * stride :: stride]
    )


def test_a_tail_without_stride_has_every_frame() -> None:
    twin, (video, behaviour) = compact(2), some_input(8, 10)
    tail = predict_tail(twin, video, behaviour, frames=9)
    torch.testing.assert_close(tail, twin(video, behaviour)[:, -9:])


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 5, 8])
def test_the_tail_of_any_other_twin_is_cut_from_its_whole_prediction(
    twin: Linear, stride: int, frames: int
) -> None:
    video, behaviour = some_input(6, 8)
    tail = predict_tail(twin, video, behaviour, frames=frames, stride=stride)
    newest_first = twin(video, behaviour).flip(1)[:, :frames:stride]
    torch.testing.assert_close(tail, newest_first.flip(1))


@pytest.mark.parametrize("frames", [1, 2, 34])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind: type[AnyTwin], frames: int) -> None:
    """Along a random direction, in double precision: what the inversion descends is true."""
    name = kind.__name__.lower()
    twin = kind(TwinSpec(name, 4, 10, 12, sizes=SIZES[name])).eval().double()
    generator = torch.Generator().manual_seed(5)
    for parameter in twin.parameters():
        parameter.data.normal_(0, 0.3, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    video = (110 + 40 * normal(1, frames, 10, 12)).requires_grad_()
    behaviour, upstream, along = normal(1, frames, 4), normal(1, frames, 4), normal(*video.shape)
    (gradient,) = torch.autograd.grad((twin(video, behaviour) * upstream).sum(), video)
    with torch.no_grad():
        apart = twin(video + 1e-4 * along, behaviour) - twin(video - 1e-4 * along, behaviour)
    expected = (apart * upstream).sum() / 2e-4
    torch.testing.assert_close((gradient * along).sum(), expected, rtol=1e-3, atol=1e-9)


def test_protocols_tell_twins_with_and_without_tails_apart(twin: Linear) -> None:
    assert isinstance(twin, Twin)
    assert not isinstance(twin, TailTwin)
    assert isinstance(compact(2), TailTwin)


def test_a_description_survives_json() -> None:
    spec = TwinSpec(
        "compact", 3, behaviour_mean=(1.0, 2.0, 3.0, 4.0), sizes={"taps": 9}, training_clips=("ab",)
    )
    assert TwinSpec.from_json(json.loads(json.dumps(spec.as_json()))) == spec


def test_a_description_of_another_version_is_refused() -> None:
    plain = TwinSpec("compact", 3).as_json()
    with pytest.raises(TypeError, match="colour"):
        TwinSpec.from_json({**plain, "colour": "green"})
    with pytest.raises(TypeError, match="neurons"):
        TwinSpec.from_json({"architecture": "compact"})


def test_preferred_places_are_the_positions_of_a_readout_on_the_screen() -> None:
    made = compact(2)
    with torch.no_grad():
        made.position[0] = torch.tensor([-3.0, 0.25])
    places = preferred_places(made)
    assert places is not None
    assert places[0].tolist() == [-1.0, 0.25]
    assert places.shape == (made.spec.neurons, 2)


def test_a_twin_without_positions_has_no_preferred_places(twin: Linear) -> None:
    assert preferred_places(twin) is None
