"""Real processes around a tiny movie start together, end together, and write a session."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import psutil
import pytest

from rtdecode.pipeline.run import RunOutcome, run_session
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.remote_process import UNSTATED
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import (
    DiskFullError,
    NothingToScoreError,
    ProcessFailedError,
    SecondInstanceError,
)
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Health, Scan
from rtdecode.session.layout import SessionLayout, SessionLock, named_session
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system
SCANS = 12
MakeRun = Callable[..., RunConfig]


@pytest.fixture
def movie(tmp_path: Path, rig: Any) -> Path:
    scans = [rig.bodies(number)[1].pixels_counts for number in range(SCANS)]
    path = tmp_path / "movie.raw"
    path.write_bytes(np.stack(scans).tobytes())
    return path


@pytest.fixture
def movie_run(small_run: MakeRun, movie: Path) -> MakeRun:
    """Makes a run of microscope and recorder alone."""

    def made(*, speed: float = 20.0, **other: Any) -> RunConfig:
        source = {"kind": "raw_movie", "path": movie, "rows_px": 48, "cols_px": 56, "speed": speed}
        parts = {"processes": ["recorder", "bridge"], "acquisition": {"source": source}}
        return small_run(None, **parts, **other)

    return made


def numbers(session: SessionLayout) -> list[int]:
    bodies = (item.message.body for item in LogReader(session.log).messages())
    return [body.number for body in bodies if isinstance(body, Scan)]


def test_a_movie_is_recorded_to_its_last_scan_and_ends_the_run(
    tmp_path: Path, movie_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session, heard = named_session(Path("here")), list[tuple[str, str]]()
    outcome = run_session(
        movie_run(),
        session,
        stop=Event(),
        on_health=lambda name, health: heard.append((name, health.state)),
    )
    assert outcome == RunOutcome(tmp_path / "here", "bridge is at its end", began=True)
    assert numbers(session) == list(range(SCANS))
    assert LogReader(session.log).summary().complete
    assert {("recorder", "ready"), ("bridge", "ready")} <= set(heard)
    resolved = read_config(session.config)
    assert resolved.record.folder == tmp_path
    assert resolved.network == NetworkConfig()
    assert session.environment.is_file()


@pytest.mark.parametrize(
    ("codes", "without_end", "names"),
    [
        ({"bridge": 0, "recorder": 0}, [], []),
        ({"bridge": 3, "recorder": 0}, ["bridge"], ["bridge"]),
        ({"bridge": 0, "recorder": -9}, [], ["recorder"]),
        # it ended well, and yet its END is not there
        ({"bridge": 0, "recorder": 0}, ["bridge"], ["bridge"]),
        # its host was silent at the end of the run: the log alone shows what came
        ({"stimulus": UNSTATED, "recorder": 0}, [], []),
        ({"stimulus": UNSTATED, "recorder": 0}, ["stimulus"], ["stimulus"]),
        # it was killed, which is stated elsewhere, and sent no END
        ({"decoder": -9, "recorder": 0}, ["decoder", "emit"], []),
    ],
)
def test_processes_whose_last_messages_are_not_recorded(
    codes: dict[str, int], without_end: list[str], names: list[str]
) -> None:
    outcome = RunOutcome(Path("s"), "stopped as asked", began=True, codes=codes)
    assert outcome.unrecorded(without_end) == names


def test_the_config_of_a_session_can_be_run_again(tmp_path: Path, movie_run: MakeRun) -> None:
    for name in ("first", "again"):
        session = named_session(tmp_path / name)
        source = movie_run() if name == "first" else read_config(tmp_path / "first/config.yaml")
        assert run_session(source, session, stop=Event()).began
        assert numbers(session) == list(range(SCANS))


def test_a_run_ends_when_its_time_is_over(tmp_path: Path, movie_run: MakeRun) -> None:
    session = named_session(tmp_path / "s")
    outcome = run_session(movie_run(speed=0.1, seconds=0.2), session, stop=Event())
    assert outcome.reason == "time is over"
    assert len(numbers(session)) < SCANS
    assert LogReader(session.log).summary().complete


def test_a_run_that_is_stopped_while_it_starts_has_not_begun(
    tmp_path: Path, movie_run: MakeRun
) -> None:
    session, stop = named_session(tmp_path / "s"), Event()

    def stop_early(_name: str, _health: Health) -> None:
        stop.set()

    outcome = run_session(movie_run(), session, stop=stop, on_health=stop_early)
    assert outcome == RunOutcome(tmp_path / "s", "stopped before it began", began=False)
    assert psutil.Process().children() == []


def test_a_process_that_cannot_start_is_reported_with_the_end_of_its_log(
    tmp_path: Path, movie_run: MakeRun, movie: Path
) -> None:
    movie.unlink()
    with pytest.raises(ProcessFailedError, match=r"movie .*movie\.raw does not exist") as failure:
        run_session(movie_run(), named_session(tmp_path / "s"), stop=Event())
    assert failure.value.exit_code == 2
    assert psutil.Process().children() == []


def test_without_room_on_the_disk_nothing_is_started(tmp_path: Path, movie_run: MakeRun) -> None:
    session = named_session(tmp_path / "s")
    with pytest.raises(DiskFullError, match="a run needs at least 1000000000 MB"):
        run_session(movie_run(record={"min_free_mb": 1e9}), session, stop=Event())
    assert not (session.folder / "logs").exists()


def test_a_folder_of_a_running_session_is_refused(tmp_path: Path, movie_run: MakeRun) -> None:
    session = named_session(tmp_path / "s")
    with SessionLock(session):
        with pytest.raises(SecondInstanceError):
            run_session(movie_run(), session, stop=Event())
    assert not session.config.exists()


def test_without_a_decoder_the_default_processes_run_and_nothing_is_scored(
    tmp_path: Path,
) -> None:
    source = {"kind": "simulated", "neurons": 40, "rows_px": 64, "cols_px": 64}
    config = RunConfig.model_validate(
        {
            "seconds": 1.0,
            "frame_rate_hz": 25.0,
            "acquisition": {"source": source},
            "stimulus": {"presenter": "headless", "clip_s": 1.0, "embedded_clips": 1},
            "calcium": {"detector": "local_correlation"},
            "decode": None,
        }
    )
    session = named_session(tmp_path / "s")
    assert run_session(config, session, stop=Event()).reason == "time is over"
    sources = {stream.partition("/")[0] for stream in LogReader(session.log).summary().counts}
    assert {"stimulus", "bridge", "decoder"} <= sources
    assert not {"emit", "evaluate"} & sources
    resolved = read_config(session.config)
    assert [role.value for role in resolved.processes or ()] == [
        "recorder",
        "stimulus",
        "bridge",
        "decoder",
        "view",
    ]
    displayed = [
        item.message.body
        for item in LogReader(session.log).messages()
        if isinstance(item.message.body, DisplayedFrame)
    ]
    # 25 frames per second, not the default of 30, which would have two in some periods of 40 ms
    grid = FrameGrid(25.0)
    periods = np.array([grid.frame_at(frame.t_flip_ns) for frame in displayed])
    assert periods.size > 1
    assert (np.diff(periods) > 0).all()


def test_evaluate_without_a_decoder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = RunConfig(processes=tuple(Role), decode=None)
    session = named_session(tmp_path / "s")
    with pytest.raises(NothingToScoreError):
        run_session(config, session, stop=Event())
    assert not session.config.exists()
