"""Output and exit codes of `demo`, `check` and `run`."""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.commands import live
from rtdecode.commands.live import finish
from rtdecode.pipeline.preflight import checked
from rtdecode.pipeline.run_plan import run_plan
from rtdecode.report.summary import SessionSummary, summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.session import RecordConfig
from rtdecode.schema.errors import (
    AddressInUseError,
    DataLostError,
    NoReconstructionError,
    ProcessFailedError,
)
from rtdecode.schema.messages import Command, Stamped
from rtdecode.session.layout import SessionLayout, named_session, session_at
from rtdecode.session.recorder import Recorder

USER = CliRunner()
SCANS = 20


@pytest.fixture
def summary(tmp_path: Path) -> SessionSummary:
    """Of a session in which nothing happened."""
    session = named_session(tmp_path / "quiet")
    write_config(RunConfig(), session.config)
    Recorder(session.folder, flush_s=1.0, clock=HostClock()).close()
    return summarise(session)


def test_what_check_prints_is_the_run_itself(movie_config: Path, tmp_path: Path) -> None:
    told = USER.invoke(app, ["check", str(movie_config), "--yaml"])
    assert told.exit_code == 0
    (tmp_path / "printed.yaml").write_text(told.stdout)
    assert read_config(tmp_path / "printed.yaml") == checked(read_config(movie_config))


def test_check_says_what_a_run_would_do_and_for_how_long_there_is_room(movie_config: Path) -> None:
    told = USER.invoke(app, ["check", str(movie_config)])
    assert told.exit_code == 0
    config = checked(read_config(movie_config))
    assert told.stdout.splitlines()[:-1] == [
        *run_plan(config, folder=config.record.folder.absolute())
    ]
    assert told.stdout.splitlines()[-1].startswith("No mistakes were found")


def test_all_mistakes_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("seconds: -3\nview:\n  port: 80\n  prot: 81\n")
    told = USER.invoke(app, ["check", str(wrong)])
    assert told.exit_code == 2
    assert told.stdout == ""
    for part in ("2 mistakes", "line 1: seconds", "line 4: view.prot: unknown key"):
        assert part in told.stderr


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    told = USER.invoke(app, ["check", str(tmp_path / "none.yaml")])
    assert told.exit_code == 2
    assert "none.yaml does not exist" in told.stderr


def check(folder: Path, text: str) -> tuple[int, str]:
    """Exit code and stderr of `rtdecode check`."""
    (folder / "run.yaml").write_text(text)
    done = USER.invoke(app, ["check", str(folder / "run.yaml")])
    return done.exit_code, done.stderr


def test_evaluate_without_a_decoder_is_refused_by_name(tmp_path: Path) -> None:
    code, text = check(tmp_path, "processes: [recorder, evaluate]\ndecode: null\n")
    assert code == 2
    assert "processes names evaluate" in text


def test_all_files_that_are_missing_are_named_at_once_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    text = """
acquisition: {source: {kind: tiff_tail, path: absent/movie.tif}}
calcium: {rois: absent/masks.npz, calibration: absent/calibration.npz}
decode: {twin: absent/twin}
evaluate: {screen_mask: absent/mask.npy}
stimulus: {clips: absent/clips, presenter: headless}
record: {folder: new/sessions}
"""
    code, told = check(tmp_path, text)
    assert code == 2
    assert "6 mistakes were found" in told
    for name in ("movie.tif", "masks.npz", "calibration.npz", "twin", "mask.npy", "clips"):
        assert f"absent/{name} does not exist" in told
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]
    refused = USER.invoke(app, ["run", str(tmp_path / "run.yaml")])
    assert refused.exit_code == 2
    assert refused.stderr == told
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_run_without_a_movie_is_refused_by_run_alone(tmp_path: Path) -> None:
    text = "processes: [recorder, bridge]\nacquisition: {source: {kind: raw_movie}}\n"
    assert check(tmp_path, text)[0] == 0
    asked = ["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "session")]
    assert USER.invoke(app, asked).exit_code == 2
    assert not (tmp_path / "session").exists()


def test_a_session_folder_of_a_refused_run_is_removed(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        (tmp_path / "session" / "config.yaml").touch()
        raise AddressInUseError(address="tcp://127.0.0.1:1", option="network in the config")

    monkeypatch.setattr(live, "run_session", refused)
    asked = ["run", str(movie_config), "--out", str(tmp_path / "session")]
    assert USER.invoke(app, asked).exit_code == 2
    assert not (tmp_path / "session").exists()
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "notes.txt").touch()
    assert USER.invoke(app, asked).exit_code == 2
    assert (tmp_path / "session" / "notes.txt").exists()


@pytest.mark.parametrize(("lost", "permitted"), [(4, 3), (1, 0)])
def test_more_loss_than_permitted_is_an_error_after_the_figures_are_written(
    summary: SessionSummary, tmp_path: Path, lost: int, permitted: int
) -> None:
    holed = replace(summary, lost_messages=lost, lost_by_stream={"bridge/scan": lost})
    config = RunConfig(decode=None, record=RecordConfig(permitted_loss=permitted))
    with pytest.raises(DataLostError, match=rf"{lost} messages were lost \(bridge/scan\)") as error:
        finish(config, holed, tmp_path / "new" / "figures.json")
    assert error.value.exit_code == 3
    assert json.loads((tmp_path / "new" / "figures.json").read_text())["lost_messages"] == lost


def test_a_permitted_loss_is_no_error(summary: SessionSummary) -> None:
    config = RunConfig(decode=None, record=RecordConfig(permitted_loss=3))
    finish(config, replace(summary, lost_messages=3), None)


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ({}, "0 scans and 0 frames of responses were recorded: no scan came in"),
        ({"bridge/scan": 90}, "90 scans and 0 frames .*: no responses were computed"),
        ({"bridge/scan": 90, "decoder/responses": 60}, "60 frames .*: the decoder gave none"),
    ],
)
def test_a_run_with_a_decoder_and_without_reconstructions_fails(
    summary: SessionSummary, recorded: dict[str, int], reason: str
) -> None:
    with pytest.raises(NoReconstructionError, match=reason) as failure:
        finish(RunConfig(), replace(summary, messages=recorded), None)
    assert failure.value.exit_code == 1


def test_a_run_that_is_stopped_before_a_frame_is_due_is_no_failure(
    summary: SessionSummary,
) -> None:
    due = RunConfig().decode.lag_frames
    early = replace(summary, messages={"bridge/scan": 9, "decoder/responses": due})
    finish(RunConfig(), early, None, stopped=True)
    late = replace(summary, messages={"bridge/scan": 9, "decoder/responses": due + 1})
    with pytest.raises(NoReconstructionError):
        finish(RunConfig(), late, None, stopped=True)


def test_reconstructions_or_no_decoder_are_no_failure(summary: SessionSummary) -> None:
    finish(RunConfig(), replace(summary, messages={"emit/reconstruction": 1}), None)
    finish(RunConfig(decode=None), summary, None)


def test_figures_that_could_not_be_written_are_refused_before_the_run(
    movie_config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "session"
    asked = ["run", str(movie_config), "--out", str(out), "--json", str(tmp_path)]
    assert USER.invoke(app, asked).exit_code == 2
    assert not out.exists()


def test_clips_that_are_not_there_are_refused_before_the_run(tmp_path: Path) -> None:
    out = tmp_path / "session"
    told = USER.invoke(app, ["demo", "--clips", str(tmp_path / "none"), "--out", str(out)])
    assert told.exit_code == 2
    assert "none cannot be shown: it does not exist" in told.stderr
    assert not out.exists()


@pytest.mark.system
def test_a_run_that_a_process_refuses_at_its_start_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "movie.tif").write_text("no TIFF")
    (tmp_path / "run.yaml").write_text(
        "processes: [recorder, bridge]\n"
        "acquisition: {source: {kind: raw_movie, path: movie.tif}}\n"
        "decode: null\n"
    )
    asked = ["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "session")]
    refused = USER.invoke(app, asked)
    assert refused.exit_code == 2
    assert "movie.tif cannot be used" in refused.stderr
    assert not (tmp_path / "session").exists()


def test_a_recording_of_a_refused_run_is_kept(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused_late(_: RunConfig, session: SessionLayout, **__: object) -> None:
        recorder = Recorder(session.folder, flush_s=1.0, clock=HostClock())
        message = Stamped("a", 0, 0, "host", Command("b", "c", ""))
        recorder.write(pack(message), message, 0)
        recorder.close()
        raise ProcessFailedError(name="decoder", code=2, tail="")

    monkeypatch.setattr(live, "run_session", refused_late)
    asked = ["run", str(movie_config), "--out", str(tmp_path / "session")]
    assert USER.invoke(app, asked).exit_code == 2
    assert (tmp_path / "session" / "log.mcap").stat().st_size > 0


def failing_run(*, closes: bool, messages: int) -> Callable[..., None]:
    """A stand-in for a run whose recorder wrote `messages`, perhaps an index, and failed."""

    def run_session(config: RunConfig, session: SessionLayout, **_: object) -> None:
        write_config(config, session.config)
        recorder = Recorder(session.folder, flush_s=1.0, clock=HostClock())
        for n in range(messages):
            message = Stamped("a", n, 0, "host", Command("b", "c", ""))
            recorder.write(pack(message), message, n)
        if closes:
            recorder.close()
        else:
            recorder._log.flush()
            recorder._log._writer._file.abandon()
        raise ProcessFailedError(name="recorder", code=-9, tail="the end")

    return run_session


@pytest.mark.parametrize("closes", [True, False])
def test_a_run_that_fails_prints_folder_summary_and_how_to_repair_its_log(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    monkeypatch.setattr(live, "run_session", failing_run(closes=closes, messages=3))
    out, figures = tmp_path / "session", tmp_path / "figures.json"
    told = USER.invoke(app, ["run", str(movie_config), "--out", str(out), "--json", str(figures)])
    assert told.exit_code == 1
    assert json.loads(figures.read_text())["messages"]["a/command"] == 3
    assert "recorder ended with exit code -9 (SIGKILL)" in told.stderr
    assert f"the run failed; its session folder is {out}" in told.stdout
    assert (f"`rtdecode recover {out}` repairs it" in told.stdout) is not closes
    assert "0 s were recorded; the log is" in told.stdout
    assert (out / "report" / "index.html").is_file()


def test_a_run_that_fails_before_anything_was_recorded_names_its_logs(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "run_session", failing_run(closes=True, messages=0))
    told = USER.invoke(app, ["run", str(movie_config), "--out", str(tmp_path / "session")])
    assert told.exit_code == 1
    assert f"nothing was recorded; see {tmp_path / 'session' / 'logs'}" in told.stdout


def test_a_run_whose_files_the_disk_refuses_names_it_after_its_folder(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(live, "run_session", refused)
    out = tmp_path / "session"
    told = USER.invoke(app, ["run", str(movie_config), "--out", str(out)])
    assert told.exit_code == 1
    assert f"the run failed; its session folder is {out}" in told.stdout
    assert f"{out} cannot be written (No space left on device" in told.stderr


def test_a_run_whose_folder_was_removed_says_so(
    tmp_path: Path, movie_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(_: RunConfig, session: SessionLayout, **__: object) -> None:
        shutil.rmtree(session.folder)
        raise ProcessFailedError(name="recorder", code=1, tail="")

    monkeypatch.setattr(live, "run_session", removed)
    out = tmp_path / "session"
    told = USER.invoke(app, ["run", str(movie_config), "--out", str(out)])
    assert f"the run failed; {out} was removed or renamed during it" in told.stdout
    assert not out.exists()


def test_a_planned_run_that_does_not_fit_on_the_disk_is_a_warning(
    tmp_path: Path, movie_config: Path
) -> None:
    long = tmp_path / "long.yaml"
    write_config(read_config(movie_config).model_copy(update={"seconds": 1e12}), long)
    told = USER.invoke(app, ["check", str(long)])
    assert told.exit_code == 0, told.stderr
    assert "warning: the disk mounted at" in told.stderr
    assert "warning" not in told.stdout


@pytest.fixture
def signals_kept() -> Callable[[], bool]:
    before = signal.getsignal(signal.SIGINT)
    return lambda: signal.getsignal(signal.SIGINT) is before


@pytest.mark.system
def test_a_run_prints_its_summary_and_writes_its_report(
    movie_config: Path, tmp_path: Path, signals_kept: Callable[[], bool]
) -> None:
    out, figures = tmp_path / "a session", tmp_path / "figures.json"
    asked = ["run", str(movie_config), "--out", str(out), "--json", str(figures)]
    told = USER.invoke(app, asked)
    assert told.exit_code == 0, told.output
    said = told.stdout.splitlines()
    assert said[0] == f"recording into {out}"
    assert "ended: bridge is at its end" in said
    assert said[-1] == f"report: {out / 'report' / 'index.html'}"
    assert (out / "report" / "index.html").is_file()
    assert json.loads(figures.read_text())["messages"]["bridge/scan"] == SCANS
    assert signals_kept()


@pytest.mark.system
def test_another_movie_can_be_named_and_sessions_are_named_by_their_time(
    movie_config: Path, tmp_path: Path
) -> None:
    movie = tmp_path / "half.raw"
    whole = movie_config.with_name("movie.raw").read_bytes()
    movie.write_bytes(whole[: len(whole) // 2])
    told = USER.invoke(app, ["run", str(movie_config), "--movie", str(movie)])
    assert told.exit_code == 0, told.output
    folder = Path(told.stdout.splitlines()[0].removeprefix("recording into "))
    assert folder.parent == movie_config.parent / "sessions"
    assert read_config(folder / "config.yaml").acquisition.source.path == movie
    assert summarise(session_at(folder)).messages["bridge/scan"] == SCANS // 2
