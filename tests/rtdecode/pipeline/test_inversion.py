"""An inversion is loaded whole, warmed up without a trace, and refuses what does not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import load_noise
from rtdecode.decode.prior import load_prior
from rtdecode.pipeline.inversion import Inversion, inversion
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import NeuronCountError, SettingMissingError, TwinMissingError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Reconstruction, Responses, WindowFrame
from rtdecode.twins.folder import load_twin, twin_hash

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]


def window_frames(count: int) -> list[WindowFrame]:
    rng = np.random.default_rng(4)
    return [
        WindowFrame(
            Responses(
                rng.gamma(2, 1, 9).astype(np.float32), np.ones(9, np.bool_), n, 0, 0, 0, 0, 0
            ),
            np.zeros(4, np.float32),
        )
        for n in range(count)
    ]


def decoded(decoder: Decoder) -> list[Reconstruction]:
    return [out for frame in window_frames(20) for out in decoder.step([frame])]


def made(config: RunConfig, clock: Clock, *, neurons: int | None = 9) -> Inversion:
    found = inversion(config, neurons=neurons, clock=clock)
    assert found is not None
    return found


def test_the_warm_up_leaves_no_trace(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    config, folder = small_run(twin_folder()), twin_folder()
    assert config.decode is not None
    fresh = Decoder(
        config.decode,
        load_twin(folder),
        load_prior(folder),
        clock=clock,
        noise=load_noise(folder, neurons=9),
    )
    expected = decoded(fresh)
    found = decoded(made(config, clock).decoder)
    assert [one.frame for one in found] == [one.frame for one in expected] == list(range(18))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.luminance, theirs.luminance)


def test_it_tells_which_twin_it_is_and_what_says_nothing_to_it(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    folder = twin_folder()
    found = made(small_run(folder), clock)
    assert found.twin_hash == twin_hash(folder)
    np.testing.assert_array_equal(found.neutral_behaviour, np.array([3, 20, 1, 2], np.float32))


@pytest.mark.parametrize(("lag_scans", "latency_s"), [(0, 2 / 15), (1, 0.2), (4, 0.4)])
def test_responses_are_whole_two_scans_and_the_deconvolution_lag_later(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock, lag_scans: int, latency_s: float
) -> None:
    config = small_run(twin_folder())
    calcium = config.calcium.model_copy(update={"deconvolution_lag_scans": lag_scans})
    found = made(config.model_copy(update={"calcium": calcium}), clock)
    assert found.response_latency_s == pytest.approx(latency_s)


def test_a_run_without_decoder_has_none(small_run: MakeRun, clock: Clock) -> None:
    assert inversion(small_run(None), neurons=9, clock=clock) is None


def test_while_the_cells_are_not_known_any_twin_will_do(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    made(small_run(twin_folder(neurons=5)), clock, neurons=None)


def test_a_twin_of_other_neurons_is_refused(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    with pytest.raises(NeuronCountError, match=r"the rois give 9 neurons, but twin '.*' was .* 5"):
        inversion(small_run(twin_folder(neurons=5)), neurons=9, clock=clock)


def test_a_decoder_without_a_twin_is_refused(clock: Clock) -> None:
    with pytest.raises(TwinMissingError):
        inversion(RunConfig(), neurons=9, clock=clock)


def test_a_source_that_does_not_tell_its_rate_must_be_told(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock, tmp_path: Path
) -> None:
    source = {"kind": "raw_tail", "path": tmp_path / "scans.raw"}
    config = small_run(twin_folder(), acquisition={"source": source})
    with pytest.raises(SettingMissingError, match=r"set acquisition\.source\.scan_rate_hz"):
        inversion(config, neurons=9, clock=clock)
