"""Responses are published at once, reconstructions paced, each between START and END."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtdecode.pipeline.decoder import DecoderSink, main
from rtdecode.runtime.process import Process
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import KeptFileError
from rtdecode.schema.messages import Body, End, Event, Gap, Reconstruction, Responses, Start
from rtdecode.twins.record import twin_hash

MakeRun = Callable[..., RunConfig]
GREY = np.full((2, 2), 128, np.float32)
RECONSTRUCTION = Reconstruction(GREY, GREY, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0.0, True, False)
GAP = Gap("bridge/scan", 1, 2, "decoder")
SCANS = 20


class Shelf(list[Body]):
    def push(self, item: Body) -> None:
        self.append(item)


def test_reconstructions_are_paced_and_everything_else_is_published_at_once() -> None:
    at_once, paced = Shelf(), Shelf()
    sink = DecoderSink(at_once, paced)  # type: ignore[arg-type]
    sink.push(GAP)
    sink.push(RECONSTRUCTION)
    assert at_once == [GAP]
    assert paced == [RECONSTRUCTION]


def test_without_an_emission_everything_is_published_at_once() -> None:
    at_once = Shelf()
    sink = DecoderSink(at_once, None)  # type: ignore[arg-type]
    for body in (GAP, RECONSTRUCTION):
        sink.push(body)
    assert at_once == [GAP, RECONSTRUCTION]


def stream(scene: Any, rig: Any) -> None:
    bridge = scene.publisher("bridge")
    scene.go()
    bridge.start(Start("session", config_yaml="", git_revision="", twin_hash=""))
    for number in range(SCANS):
        for body in rig.bodies(number):
            bridge.push(body)
    scene.until(lambda health: health.counters.get("scans") == SCANS)


@pytest.mark.system
def test_scans_become_responses_and_reconstructions_of_every_frame(
    tmp_path: Path, rig: Any, conducted: Any, small_run: MakeRun, twin_folder: Callable[..., Path]
) -> None:
    folder = twin_folder()
    with conducted(main, small_run(folder), tmp_path) as scene:
        stream(scene, rig)
        assert scene.end() == 0
    told, emitted = scene.bodies("decoder"), scene.bodies("emit")
    for bodies in (told, emitted):
        assert isinstance(bodies[0], Start)
        assert bodies[0].twin_hash == twin_hash(folder)
        assert isinstance(bodies[-1], End)
    frames = [body.frame for body in told if isinstance(body, Responses)]
    assert all(later == earlier + 1 for earlier, later in pairwise(frames))
    assert len(frames) > SCANS
    # the lag of the small run is two frames
    assert [body.frame for body in emitted if isinstance(body, Reconstruction)] == frames[:-2]
    assert {path.name for path in (tmp_path / "session").glob("*.npz")} == {
        "masks.npz",
        "calibration.npz",
    }


@pytest.mark.system
def test_without_a_twin_nothing_is_emitted(
    tmp_path: Path, rig: Any, conducted: Any, small_run: MakeRun
) -> None:
    with conducted(main, small_run(None), tmp_path) as scene:
        stream(scene, rig)
        assert scene.end() == 0
    kinds = [body.kind for body in scene.bodies("decoder")]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert kinds.count("fluorescence") == SCANS
    assert scene.bodies("emit") == []


@pytest.mark.system
def test_a_restarted_decoder_states_that_it_loaded_the_rois_of_the_session(
    tmp_path: Path, rig: Any, conducted: Any, small_run: MakeRun
) -> None:
    (tmp_path / "session").mkdir()
    rig.rois.save(tmp_path / "session" / "masks.npz")
    before = f"masks.npz:{rig.rois.hash}"
    run = small_run(None, calcium={"detector": "local_correlation"})
    with conducted(main, run, tmp_path, restarts=1, before_restart=before) as scene:
        stream(scene, rig)
        assert scene.end() == 0
    events = [body for body in scene.bodies("decoder") if isinstance(body, Event)]
    assert events[0].code == "rois_loaded"
    assert events[0].counts == {"neurons": 9.0}


@pytest.mark.system
def test_a_restarted_decoder_that_finds_other_rois_records_an_alarm_and_refuses(
    tmp_path: Path, rig: Any, conducted: Any, small_run: MakeRun
) -> None:
    (tmp_path / "session").mkdir()
    rig.rois.chosen(np.arange(9) < 4).save(tmp_path / "session" / "masks.npz")
    before, refusals = f"masks.npz:{rig.rois.hash}", list[KeptFileError]()

    def refused(process: Process) -> int:
        try:
            return main(process)
        except KeptFileError as error:
            refusals.append(error)
            return error.exit_code

    refused.__module__ = main.__module__
    with conducted(refused, small_run(None), tmp_path, restarts=1, before_restart=before) as scene:
        scene.thread.join()
        assert scene.end() == 2
    (event,) = scene.bodies("decoder")
    assert isinstance(event, Event)
    assert (event.severity, event.code) == ("alarm", "rois_changed")
    assert str(refusals[0]) == event.text
