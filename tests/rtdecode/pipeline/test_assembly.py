"""One assembly turns scans into reconstructions, the same for a live run and for a replay."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtdecode.pipeline.decoding_stage import assembled
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import Device
from rtdecode.schema.errors import (
    DeviceUnavailableError,
    NeuronCountError,
    RoisMissingError,
    TwinsDifferError,
)
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import (
    Body,
    Event,
    Fluorescence,
    Received,
    Reconstruction,
    Responses,
)
from rtdecode.twins.record import twin_hash

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]


class Rig:
    def stream(self, count: int) -> list[Received]: ...


def all_of(config: RunConfig, stream: list[Received], clock: Clock) -> list[Body]:
    stage = assembled(config, detected_by="decoder", clock=clock).stage
    return [out for item in stream for out in stage.step([item])]


def test_two_assemblies_of_one_config_give_the_same_bit_for_bit(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    config, stream = small_run(twin_folder()), rig.stream(30)
    one, other = (all_of(config, stream, clock) for _ in range(2))
    assert [body.kind for body in one] == [body.kind for body in other]
    pictures = [
        [body.luminance.tobytes() for body in bodies if isinstance(body, Reconstruction)]
        for bodies in (one, other)
    ]
    assert len(pictures[0]) > 20
    assert pictures[0] == pictures[1]


def test_every_scan_is_read_and_every_frame_comes_out_once(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    bodies = all_of(small_run(twin_folder()), rig.stream(30), clock)
    read = [body.number for body in bodies if isinstance(body, Fluorescence)]
    frames = [body.frame for body in bodies if isinstance(body, Responses)]
    decoded = [body for body in bodies if isinstance(body, Reconstruction)]
    assert read == list(range(30))
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    # the lag of the small run is two frames
    assert [body.frame for body in decoded] == frames[:-2]
    assert all(np.isfinite(body.luminance).all() for body in decoded)


def test_it_names_its_twin(small_run: MakeRun, twin_folder: MakeTwin, clock: Clock) -> None:
    folder = twin_folder()
    parts = assembled(small_run(folder), detected_by="decoder", clock=clock)
    assert parts.twin_hash == twin_hash(folder)
    assert parts.calcium.neurons == 9


def test_several_twins_are_decoded_with_together_and_named_by_one_hash(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    twins = twin_folder(), twin_folder(seed=2), twin_folder(seed=3)
    config, stream = small_run(*twins), rig.stream(30)
    parts = assembled(config, detected_by="decoder", clock=clock)
    assert parts.twin_hash == twin_hash(*twins) != twin_hash(*twins[:2])
    pictures = {}
    for name, run in (("all", config), *((twin.name, small_run(twin)) for twin in twins)):
        bodies = all_of(run, stream, clock)
        pictures[name] = [one.luminance for one in bodies if isinstance(one, Reconstruction)]
    assert {len(some) for some in pictures.values()} == {len(pictures["all"])}
    apart = [np.abs(pictures["all"][-1] - pictures[twin.name][-1]).max() for twin in twins]
    assert min(apart) > 0.01


def test_the_first_event_states_where_how_many_twins_are_inverted(
    rig: Rig, small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    config = small_run(twin_folder(), twin_folder(seed=2))
    cpu = config.model_copy(
        update={"decode": config.decode.model_copy(update={"device": Device.CPU})}
    )
    first, *others = all_of(cpu, rig.stream(6), clock)
    assert isinstance(first, Event)
    assert (first.code, first.counts) == ("decoder_device", {"twins": 2.0})
    assert first.text == "the processor that inverts the twin is the CPU"
    assert not any(isinstance(body, Event) and body.code == first.code for body in others)


def test_twins_of_different_mice_and_a_gpu_that_is_not_there_are_refused(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rois = {"detector": "local_correlation"}
    run = small_run(twin_folder(), twin_folder(neurons=4), calcium=rois)
    with pytest.raises(TwinsDifferError, match="neurons 9 and 4"):
        assembled(run, detected_by="decoder", clock=clock)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    on_gpu = {"twin": twin_folder(), "device": "cuda"}
    with pytest.raises(DeviceUnavailableError, match="finds no GPU"):
        assembled(small_run(None, decode=on_gpu), detected_by="decoder", clock=clock)


def test_without_a_twin_it_ends_at_the_responses(
    rig: Rig, small_run: MakeRun, clock: Clock
) -> None:
    config = small_run(None)
    assert assembled(config, detected_by="decoder", clock=clock).twin_hash == ""
    bodies = all_of(config, rig.stream(12), clock)
    assert {"fluorescence", "responses"} <= {body.kind for body in bodies}
    assert not any(isinstance(body, Reconstruction) for body in bodies)


def test_rois_and_twin_of_different_mice_are_refused(
    small_run: MakeRun, twin_folder: MakeTwin, clock: Clock
) -> None:
    with pytest.raises(NeuronCountError):
        assembled(small_run(twin_folder(neurons=4)), detected_by="decoder", clock=clock)


def test_a_run_that_names_no_cells_is_refused(clock: Clock) -> None:
    with pytest.raises(RoisMissingError):
        assembled(RunConfig(), detected_by="decoder", clock=clock)
