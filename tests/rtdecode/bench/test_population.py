"""Neurons can be left out or repeated without a change of the others' predictions."""

from pathlib import Path

import pytest
import torch

from rtdecode.bench.decoder import Population, load_population, with_neurons
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec

VIDEO = torch.rand(1, 30, 12, 16, generator=torch.Generator().manual_seed(1)) * 255
BEHAVIOUR = torch.zeros(1, 30, 4)


def twin(neurons: int = 3) -> Compact:
    spec = TwinSpec(
        architecture="compact",
        neurons=neurons,
        rows_px=12,
        cols_px=16,
        luminance_mean=127.0,
        luminance_sd=60.0,
    )
    made = Compact(spec, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.position.copy_(torch.rand(neurons, 2) * 2 - 1)
        made.behaviour_gain.normal_()
    return made.requires_grad_(requires_grad=False)


def population() -> Population:
    compact = twin()
    return Population(compact, FittedTwin(compact, fit_prior([VIDEO[0].numpy()]), even_noise(3)))


def test_each_neuron_predicts_what_it_predicted_before() -> None:
    before = twin()
    chosen = torch.tensor([2, 0, 2, 1])
    predicted = with_neurons(before, chosen)(VIDEO, BEHAVIOUR + 1)
    torch.testing.assert_close(predicted, before(VIDEO, BEHAVIOUR + 1)[..., chosen])


@pytest.mark.parametrize(("asked", "expected"), [(2, [0, 1]), (5, [0, 1, 2, 0, 1])])
def test_any_number_can_be_made(asked: int, expected: list[int]) -> None:
    many = population().of(asked)
    assert many.twin.spec.neurons == len(many.noise.dispersion) == asked
    torch.testing.assert_close(many.twin.weights, population().twin.weights[expected])


def test_it_is_on_the_device_of_its_twin() -> None:
    """Tensors of the meta device have no values: they raise where they meet one of the host."""
    meta = torch.device("meta")
    compact = twin().to(meta)
    prior, noise = fit_prior([VIDEO[0].numpy()]).to(meta), even_noise(3).to(meta)
    many = Population(compact, FittedTwin(compact, prior, noise)).of(5)
    assert many.twin(VIDEO.to(meta), BEHAVIOUR.to(meta)).device == meta
    assert {value.device for value in many.twin.state_dict().values()} == {meta}
    assert many.noise.dispersion.device == meta


def test_it_is_read_from_a_twins_folder(tmp_path: Path) -> None:
    written = population()
    save_twin(written.twin, tmp_path)
    save_prior(written.fitted.prior, tmp_path)
    save_noise(written.fitted.noise, tmp_path)
    torch.testing.assert_close(load_population(tmp_path).twin.weights, written.twin.weights)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    spec = TwinSpec(
        architecture="linear",
        neurons=1,
        rows_px=2,
        cols_px=2,
        luminance_mean=0.0,
        luminance_sd=1.0,
        history_frames=1,
        sizes={"taps": 2},
    )
    save_twin(Linear(spec), tmp_path)
    save_prior(fit_prior([VIDEO[0, :, :2, :2].numpy()]), tmp_path)
    save_noise(even_noise(1), tmp_path)
    with pytest.raises(UnreadableFileError, match=r"expected a compact twin.*got linear"):
        load_population(tmp_path)
