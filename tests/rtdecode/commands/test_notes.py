"""A note goes into the log while a session runs, and into its folder afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest
from typer.testing import CliRunner
from written_run import WrittenRun

from rtdecode.commands.notes import app
from rtdecode.report.summary import summarise
from rtdecode.runtime.run_requests import RunRequests
from rtdecode.runtime.sockets import Messaging
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import Event
from rtdecode.schema.notes import NOTE
from rtdecode.session.layout import SessionLayout, SessionLock
from rtdecode.session.notes import later_notes

SCREEN = {"presenter": "headless", "rows_px": 6, "cols_px": 8, "clips": "clips"}
CONFIG = RunConfig.model_validate({"decode": None, "stimulus": SCREEN})


def typed(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    return result.exit_code, result.output + result.stderr


@pytest.fixture
def ended(tmp_path: Path) -> SessionLayout:
    run = WrittenRun(tmp_path / "s", CONFIG)
    run.start("supervisor", frame=100)
    return run.end()


@contextmanager
def running(session: SessionLayout, *, records: bool = True) -> Iterator[list[Event]]:
    """What a supervisor records of the notes that it gets."""
    recorded: list[Event] = []

    def record(event: Event) -> bool:
        recorded.append(event)
        return records

    over = Flag()
    with Messaging() as messaging, SessionLock(session):
        endpoint = f"ipc://{session.folder}/r"
        requests = RunRequests(messaging, endpoint=endpoint, stop=Flag(), record=record)
        with requests.access.written(session.requests):

            def answer() -> None:
                while not over.wait(0.01):
                    requests.answer()

            thread = Thread(target=answer)
            thread.start()
            try:
                yield recorded
            finally:
                over.set()
                thread.join()


def test_a_running_session_records_each_note(ended: SessionLayout) -> None:
    long = "αβγ\n" * 2_500
    with running(ended) as recorded:
        for text in ("eye closed", long):
            code, told = typed(ended.folder, text)
            assert code == 0, told
            assert "recorded in the log" in told
    assert [event.text for event in recorded] == ["eye closed", long.strip()]
    assert {(event.code, event.severity) for event in recorded} == {(NOTE, "info")}
    assert not ended.notes.exists()


def test_a_run_that_does_not_record_yet_refuses(ended: SessionLayout) -> None:
    with running(ended, records=False):
        code, told = typed(ended.folder, "too early")
    assert code == 1
    assert "not begun yet" in told
    assert not ended.notes.exists()


def test_an_ended_session_gets_lines_in_its_folder_and_its_summary_has_them(
    ended: SessionLayout,
) -> None:
    texts = ["train lines 3 to 5\nwere swapped", 'a "quoted" \\ note 🐭']
    for text in texts:
        code, told = typed(ended.folder, text)
        assert (code, "notes.jsonl" in told) == (0, True), told
    assert len(ended.notes.read_text(encoding="utf-8").splitlines()) == len(texts)
    assert [note.text for note in later_notes(ended)] == texts
    summary = summarise(ended)
    assert [one["text"] for one in summary.as_json()["later_notes"]] == texts
    assert all(f"UTC: {text}" in summary.text() for text in texts)


def test_a_run_that_was_killed_has_ended(ended: SessionLayout) -> None:
    ended.requests.write_text('{"endpoint": "ipc:///tmp/nobody", "token": "t"}')
    assert typed(ended.folder, "after the kill")[0] == 0
    assert [note.text for note in later_notes(ended)] == ["after the kill"]


def test_a_damaged_line_stays_readable_and_takes_no_other_with_it(ended: SessionLayout) -> None:
    typed(ended.folder, "first")
    whole = ended.notes.read_bytes()
    ended.notes.write_bytes(whole + whole[: len(whole) // 2])
    typed(ended.folder, "third")
    first, damaged, third = later_notes(ended)
    assert (first.text, third.text) == ("first", "third")
    assert "cannot be read" in damaged.text


def test_separators_of_lines_in_a_note_do_not_divide_it(ended: SessionLayout) -> None:
    assert typed(ended.folder, "one\u2028two\x85three")[0] == 0
    line = '{"utc": "2026-11-24T10:15:00+00:00", "text": "four\u2028five"}\n'
    with ended.notes.open("ab") as file:
        file.write(line.encode())
    assert [note.text for note in later_notes(ended)] == ["one\ntwo\nthree", "four\u2028five"]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_session_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    code, told = typed(tmp_path / name, "text")
    assert code == 2
    assert "rtdecode run" in told
    assert not (tmp_path / name / "notes.jsonl").exists()


@pytest.mark.parametrize(("text", "said"), [(" ", "empty"), ("x" * 20_000, "20,000 characters")])
def test_a_note_that_cannot_be_kept_is_refused(ended: SessionLayout, text: str, said: str) -> None:
    code, told = typed(ended.folder, text)
    assert (code, said in told) == (2, True), told
    assert not ended.notes.exists()
