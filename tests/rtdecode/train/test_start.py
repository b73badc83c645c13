import numpy as np
import torch

from rtdecode.train.starting_point import Survey, fresh_compact, with_core
from rtdecode.twins.twin import TwinSpec

NEURONS = 6
SPEC = TwinSpec("compact", NEURONS, rows_px=12, cols_px=16, sizes={"hidden": 8, "features": 4})
FOUND = Survey(
    luminance_mean=110,
    luminance_sd=50,
    behaviour_mean=(0, 0, 0, 0),
    behaviour_sd=(1, 1, 1, 1),
    rate=np.linspace(0.1, 3, NEURONS),
    clip_hashes=(),
)


def centers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 11, (NEURONS, 2)).astype(np.float32)


def test_neurons_fire_at_their_mean_rate_on_grey() -> None:
    twin = fresh_compact(SPEC, FOUND, centers(0), seed=1)
    grey = torch.full((1, 40, 12, 16), SPEC.luminance_mean)
    with torch.no_grad():
        steady = twin(grey, torch.zeros(1, 40, 4))[0, -1]
    np.testing.assert_allclose(steady, FOUND.rate, rtol=0.1)


def test_a_dot_drives_the_neuron_with_that_receptive_field() -> None:
    looked = np.array(
        [[2.5, 2.5], [12.5, 2.5], [2.5, 8.5], [12.5, 8.5], [7, 5], [7, 9]], np.float32
    )
    twin = fresh_compact(SPEC, FOUND, looked, seed=1)
    video = torch.full((1, 30, 12, 16), SPEC.luminance_mean, requires_grad=True)
    for neuron, (col, row) in enumerate(looked[:4]):
        (gradient,) = torch.autograd.grad(twin(video, torch.zeros(1, 30, 4))[0, -1, neuron], video)
        energy = gradient.square().sum((0, 1))
        y, x = (
            energy.sum(1 - k) @ torch.arange(s).float() / energy.sum()
            for k, s in ((0, 12), (1, 16))
        )
        assert abs(float(x) - col) < 2
        assert abs(float(y) - row) < 2


def test_the_seed_chooses_the_weights() -> None:
    one, same, other = (fresh_compact(SPEC, FOUND, centers(0), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.weights, same.weights)
    assert not torch.equal(one.weights, other.weights)


def test_a_core_is_kept_and_only_the_readout_is_free() -> None:
    core = fresh_compact(SPEC, FOUND, centers(0), seed=1)
    fresh = fresh_compact(SPEC, FOUND, centers(5), seed=2)
    places = fresh.position.detach().clone()
    joined = with_core(core, fresh)
    assert torch.equal(joined.mix, core.mix)
    assert torch.equal(joined.position, places)
    free = {name for name, p in joined.named_parameters() if p.requires_grad}
    assert free == {"position", "weights", "bias", "behaviour_gain", "response_kernel"}
