"""A recorded session is summarised again, replayed, and its log repaired."""

import json
import shutil
from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner, Result

from rtdecode.cli import app
from rtdecode.pipeline.run import run_session
from rtdecode.report.summary import summarise
from rtdecode.runtime.config_file import read_config, write_config
from rtdecode.schema.messages import Fluorescence
from rtdecode.session.layout import SessionLayout, named_session, session_at
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system
SCANS = 20


@pytest.fixture(scope="module")
def recorded(movie_config: Path) -> Path:
    """The folder of a session that real processes have recorded."""
    session = named_session(movie_config.with_name("recorded"))
    run_session(read_config(movie_config), session, stop=Event())
    return session.folder


@pytest.fixture
def session(recorded: Path, tmp_path: Path) -> SessionLayout:
    """A copy of it that a test may damage."""
    return session_at(Path(shutil.copytree(recorded, tmp_path / "copy")))


def use(*asked: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in asked])


def test_the_summary_of_a_session_is_recomputed_from_its_log_alone(
    session: SessionLayout, tmp_path: Path
) -> None:
    shutil.rmtree(session.report)
    told = use("score", session.folder, "--json", tmp_path / "new" / "f.json")
    assert told.exit_code == 0, told.output
    assert "the log is complete; no message was lost" in told.stdout
    assert (session.report / "index.html").is_file()
    figures = json.loads((tmp_path / "new" / "f.json").read_text())
    environment = figures.pop("environment")
    assert environment == json.loads(session.environment.read_text())
    assert environment["git_revision"]
    assert figures == json.loads(json.dumps(summarise(session).as_json()))


def test_the_log_may_be_named_in_place_of_its_folder(session: SessionLayout) -> None:
    assert use("score", session.log).exit_code == 0


def test_a_replay_is_a_session_of_its_own_beside_the_recorded_one(session: SessionLayout) -> None:
    told = use("replay", session.folder)
    assert told.exit_code == 0, told.output
    folder = Path(told.stdout.splitlines()[0].removeprefix("replaying into "))
    assert folder.parent == session.folder.parent
    found = (item.message.body for item in LogReader(session_at(folder).log).messages())
    assert [b.number for b in found if isinstance(b, Fluorescence)] == list(range(SCANS))
    assert (folder / "report" / "index.html").is_file()


@pytest.mark.parametrize("out", [(), ("--out", "new")])
def test_a_refused_replay_leaves_no_folder(
    session: SessionLayout, monkeypatch: pytest.MonkeyPatch, out: tuple[str, ...]
) -> None:
    monkeypatch.chdir(session.folder.parent)
    config = read_config(session.config)
    calcium = config.calcium.model_copy(update={"rois": Path("/absent/masks.npz")})
    write_config(config.model_copy(update={"calcium": calcium}), session.config)
    told = use("replay", session.folder, *out)
    assert told.exit_code == 2
    assert list(session.folder.parent.iterdir()) == [session.folder]


def test_a_replay_into_a_recording_is_refused(session: SessionLayout, recorded: Path) -> None:
    told = use("replay", session.folder, "--out", recorded)
    assert told.exit_code == 2
    assert "already holds a recorded session" in told.stderr


def test_a_complete_log_needs_no_repair(session: SessionLayout) -> None:
    told = use("recover", session.folder)
    assert (told.exit_code, told.stdout) == (
        0,
        f"{session.log} is complete; nothing was changed\n",
    )


def test_a_truncated_log_is_repaired_and_the_damaged_file_kept(session: SessionLayout) -> None:
    torn = session.log.read_bytes()[:50_000]
    session.log.write_bytes(torn)
    told = use("recover", session.folder)
    damaged = session.folder / "log.damaged.mcap"
    counts = LogReader(session.log).summary().counts
    assert told.exit_code == 0, told.output
    first, *missing = told.stdout.splitlines()
    assert (
        first == f"{sum(counts.values())} messages recovered; the damaged log is kept as {damaged}"
    )
    assert missing[0].startswith("the log ends early, after ")
    for source in {stream.partition("/")[0] for stream in counts}:
        assert f"the log holds no END of {source}" in told.stdout
    assert damaged.read_bytes() == torn
    scored = use("score", session.folder)
    assert scored.exit_code == 0
    assert "the log is repaired and holds only the messages that could be read" in scored.stdout


@pytest.mark.parametrize("verb", ["score", "replay", "recover"])
def test_a_folder_without_a_session_is_named(verb: str, tmp_path: Path) -> None:
    told = use(verb, tmp_path)
    assert told.exit_code == 2
    assert f"session log {tmp_path / 'log.mcap'} does not exist" in told.stderr


@pytest.mark.parametrize("verb", ["score", "recover"])
def test_a_log_that_is_none_is_refused(verb: str, session: SessionLayout) -> None:
    session.log.write_bytes(b"not a log at all, whatever its name says")
    told = use(verb, session.folder)
    assert told.exit_code == 2
    assert "expected an MCAP file" in told.stderr
