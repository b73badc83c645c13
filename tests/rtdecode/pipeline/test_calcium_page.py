"""The figure of a session shows all of it, and is drawn from its log."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from matplotlib.image import imread

from rtdecode.pipeline.calcium_stage import calcium_stage
from rtdecode.report import calcium_page as calcium_report
from rtdecode.report.calcium_page import report_calcium
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Received, Scan, Stamped
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.recorder import Recorder

MakeRun = Callable[..., RunConfig]
SCANS = 24


class Rig:
    def stream(self, count: int) -> list[Received]: ...


def recorded(
    config: RunConfig, stream: list[Received], folder: Path, *, clock: Clock, keeps: bool = True
) -> SessionLayout:
    """A session of scans and the fluorescence that the chain made of them."""
    session = named_session(folder)
    write_config(config, session.config)
    tape = Recorder(session.folder, flush_s=1.0, clock=HostClock())
    stage = calcium_stage(config, clock=clock)
    made = 0
    for item in stream:
        tape.write(pack(item.message), item.message, item.t_received_ns)
        for body in stage.step([item]):
            if isinstance(body, Fluorescence):
                message = Stamped("decoder", made, item.t_received_ns, "host", body)
                tape.write(pack(message), message, item.t_received_ns)
                made += 1
    tape.close()
    if keeps:
        stage.save(session.folder)
    return session


@pytest.mark.parametrize("calibration", [True, False])
def test_it_draws_the_session_with_or_without_a_calibration(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock, *, calibration: bool
) -> None:
    config = small_run(None)
    session = recorded(config, rig.stream(SCANS), tmp_path / "s", clock=clock)
    if not calibration:
        (session.folder / "calibration.npz").unlink()
    assert report_calcium(session, summarise(session), config.calcium)
    picture = imread(session.report / "calcium.png")
    orange = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.3)
    assert orange.sum() > 500
    page = (session.report / "index.html").read_text()
    assert page.count("<img") == 1
    assert "<td>scans read</td><td>24</td>" in page
    assert "<td>neurons</td><td>9</td>" in page


def test_a_long_session_is_thinned_evenly() -> None:
    traces, nothing = calcium_report._Traces(most=10), np.zeros(1, np.float32)
    for n in range(SCANS):
        traces.add(Fluorescence(nothing, nothing, n, n, np.zeros(2, np.float32)))
    assert traces.seen == SCANS
    assert list(traces.kept) == list(range(0, SCANS, 4))
    assert [one.number for one in traces.kept.values()] == list(range(0, SCANS, 4))


def test_a_session_without_cells_or_scans_has_no_picture(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    config = small_run(None)
    without_rois = recorded(config, rig.stream(8), tmp_path / "a", clock=clock, keeps=False)
    without_scans = recorded(config, [], tmp_path / "b", clock=clock)
    for session in (without_rois, without_scans):
        assert not report_calcium(session, summarise(session), config.calcium)
        assert not list(session.report.glob("*.png"))


def test_the_reported_movement_is_that_of_the_scans(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    config, stream = small_run(None), rig.stream(SCANS)
    session = recorded(config, stream, tmp_path / "s", clock=clock)
    shifts = np.array(
        [one.shift_px for one in calcium_report._traces(session.log)[0].kept.values()]
    )
    largest = np.hypot(*(shifts - np.median(shifts, axis=0)).T).max()
    report_calcium(session, summarise(session), config.calcium)
    row = f"<td>movement, maximum px</td><td>{largest:.2f}</td>"
    assert row in (session.report / "index.html").read_text()


def test_each_plane_has_its_picture(
    rig: Rig, small_run: MakeRun, tmp_path: Path, clock: Clock
) -> None:
    one = small_run(None)
    both = one.calcium.model_copy(
        update={"planes": 2, "decoded_planes": (0, 1), "rois": tmp_path / "planes"}
    )
    for plane in (0, 1):
        (tmp_path / "planes" / f"plane{plane}").mkdir(parents=True)
        assert one.calcium.rois is not None
        copyfile(one.calcium.rois, tmp_path / "planes" / f"plane{plane}" / "masks.npz")
    stream = [
        replace(item, message=replace(item.message, body=replace(body, plane=body.number % 2)))
        for item in rig.stream(2 * SCANS)
        for body in [item.message.body]
        if isinstance(body, Scan)
    ]
    config = one.model_copy(update={"calcium": both})
    session = recorded(config, stream, tmp_path / "s", clock=clock)
    assert report_calcium(session, summarise(session), both)
    assert sorted(picture.name for picture in session.report.glob("*.png")) == [
        "calcium_plane0.png",
        "calcium_plane1.png",
    ]
    page = (session.report / "index.html").read_text()
    assert page.count("<img") == 2
    assert "<td>neurons</td><td>18</td>" in page
