"""Replays with other settings: what may change, what is refused, and one table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from rtdecode.cli import app
from rtdecode.pipeline.replay import replay_session
from rtdecode.pipeline.what_if import (
    RECORDED,
    first_and_others,
    names_of,
    other_setting,
    replayed_rows,
    table,
    write_rows,
)
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ConfigError, MissingFileError
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.recorder import Recorder
from rtdecode.session.replay import Conduct, RecordedClock

MakeRun = Callable[..., RunConfig]
MakeTwin = Callable[..., Path]


def written(folder: Path, text: str, name: str = "other.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def session(tmp_path: Path, rig: Any, small_run: MakeRun, twin_folder: MakeTwin) -> SessionLayout:
    made = named_session(tmp_path / "recorded")
    write_config(small_run(twin_folder()), made.config)
    recorder = Recorder(made.folder, flush_s=1.0, clock=RecordedClock())
    for item in rig.stream(24):
        recorder.write(pack(item.message), item.message, item.t_received_ns)
    recorder.close()
    return made


def use(*asked: object) -> Result:
    return CliRunner().invoke(app, ["replay", *(str(one) for one in asked)])


def test_a_part_of_a_config_is_laid_over_that_of_the_session(
    small_run: MakeRun, tmp_path: Path
) -> None:
    base = small_run(tmp_path / "twin")
    path = written(tmp_path, "decode: {lag_frames: 4, twin: finer}\ncalcium:\n  sparsity: 0.2\n")
    other = other_setting(base, path, name="other").config
    assert base.decode is not None
    changed = {"lag_frames": 4, "twin": tmp_path / "finer"}
    assert other.decode == base.decode.model_copy(update=changed)
    assert other.calcium == base.calcium.model_copy(update={"sparsity": 0.2})
    assert other.acquisition == base.acquisition


def test_what_differs_is_stated(small_run: MakeRun, tmp_path: Path) -> None:
    path = written(tmp_path, "decode: {tau: 0.5}")
    found = other_setting(small_run(tmp_path / "twin"), path, name="other")
    assert found.changed == ("decode.likelihood_weight is 0.5, and null in the session",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("decode: {steps: 1}\nstimulus:\n  seed: 4\n", "line 3: stimulus.seed: a replay cannot"),
        ("acquisition: {source: {kind: simulated}}", "acquisition.source.kind: a replay cannot"),
        ("frame_rate_hz: 15", "line 1: frame_rate_hz: a replay cannot change it"),
        ("decode: {lag_frame: 4}", "decode.lag_frame: unknown key"),
        ("decode: {lag_frames: 99}", "lag_frames=99 lies outside the window"),
    ],
)
def test_other_settings_are_refused_by_name_and_line(
    small_run: MakeRun, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        other_setting(small_run(tmp_path / "twin"), written(tmp_path, text), name="other")


def test_the_whole_config_of_a_session_changes_nothing(session: SessionLayout) -> None:
    found = other_setting(read_config(session.config), session.config, name="same")
    assert found.changed == ()


def test_a_twin_that_is_not_there_is_refused_before_anything_is_replayed(
    session: SessionLayout, tmp_path: Path
) -> None:
    path = written(tmp_path, "decode: {twin: absent}")
    with pytest.raises(MissingFileError, match="absent"):
        first_and_others(session, read_config(session.config), [path])


def test_files_with_one_name_are_told_apart() -> None:
    paths = [Path("a/lag.yaml"), Path("b/lag.yaml"), Path("steps.yaml")]
    assert names_of(paths) == ["a/lag.yaml", "b/lag.yaml", "steps"]


def test_each_row_is_the_replay_with_its_settings(session: SessionLayout, tmp_path: Path) -> None:
    paths = [written(tmp_path, "decode: {lag_frames: 4}", "lag4.yaml"), session.config]
    base = read_config(session.config)
    first, settings = first_and_others(session, base, paths)

    def replay(setting: Any, into: SessionLayout) -> bool:
        replay_session(session, into, config=setting.config, conduct=Conduct())
        return True

    rows = [*first, *replayed_rows(settings, tmp_path / "replays", keeps=True, replay=replay)]
    assert [row.setting.name for row in rows] == [RECORDED, "lag4", "config"]
    assert [row.summary.lag_frames for row in rows] == [None, 4, 2]
    again = named_session(tmp_path / "again")
    replay_session(session, again)
    assert rows[2].session is not None
    assert (rows[2].session / "log.mcap").stat().st_size == pytest.approx(
        again.log.stat().st_size, rel=0.01
    )
    write_rows(rows, tmp_path / "table.json")
    found = json.loads((tmp_path / "table.json").read_text())
    assert [one["lag_frames"] for one in found] == [None, 4, 2]
    assert all(len(line) == len(table(rows)[0]) for line in table(rows))


def test_a_stopped_replay_has_no_row(session: SessionLayout, tmp_path: Path) -> None:
    _, settings = first_and_others(session, read_config(session.config), [session.config] * 2)
    assert not [*replayed_rows(settings, tmp_path / "r", keeps=False, replay=lambda *_: False)]


def test_the_command_prints_one_table_and_keeps_no_session(
    session: SessionLayout, tmp_path: Path
) -> None:
    path = written(tmp_path, "decode: {lag_frames: 4}", "lag4.yaml")
    before = sorted(tmp_path.iterdir())
    told = use(session.folder, "--config", path, "--config", session.config)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    (head,) = (k for k, line in enumerate(lines) if line.startswith("settings"))
    assert [line.split("  ")[0] for line in lines[head + 1 : head + 3]] == [RECORDED, "lag4"]
    assert "lag4: decode.lag_frames is 4, and 2 in the session" in lines
    assert "config: the settings of the session, with all solver steps" in lines
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--twin", "twin"), "--twin does not apply to a replay of"),
        (("--drop", "1"), "a percentage such as 1% is expected"),
        (("--drop", "101%"), "a percentage such as 1% is expected"),
        (("--jitter", "20"), "a time such as 20ms, at most 60000ms, is expected"),
        (("--jitter", "infms"), "a time such as 20ms, at most 60000ms, is expected"),
        (("--trials", "0-99999999999999999999"), "numbers, 1 to 100,000 are expected"),
        (("--trials", "7-5"), "7-5 is -1 numbers"),
        (("--trials", "3-"), "numbers such as 3,5-7 are expected"),
        (("--config", "absent.yaml"), "absent.yaml does not exist"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    session: SessionLayout, asked: tuple[str, str], words: str
) -> None:
    told = use(session.folder, *asked)
    assert told.exit_code == 2
    assert words in " ".join(told.stderr.replace("│", " ").split())
