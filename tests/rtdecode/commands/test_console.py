"""The table shows the newest heartbeats; a named error becomes one sentence and its code."""

import errno
import io
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from rich.console import Console

from rtdecode.commands.console import LiveTable, errors_reported, open_in_browser, print_plain
from rtdecode.schema.errors import MissingFileError
from rtdecode.schema.messages import Health

CURSOR_SHOWN, CURSOR_HIDDEN = "\x1b[?25h", "\x1b[?25l"


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_the_newest_heartbeat_of_each_process_is_displayed() -> None:
    screen = console(terminal=True)
    table = LiveTable(screen)
    with table.displayed():
        table.update("decoder", Health("starting", "", {}))
        table.update("decoder", Health("running", "", {"late": 2.0, "out": 12345.0}))
    last = printed(screen).rsplit("process", 1)[-1]
    assert "decoder" in last
    assert "running" in last
    assert "late 2" in last


def test_a_warning_of_the_recorder_is_printed_once() -> None:
    screen = console(terminal=False)
    table = LiveTable(screen)
    for detail in ("", "the disk has room for 9 more minutes [2 MB/s]", "", ""):
        for _ in range(2):
            table.update("recorder", Health("running", detail, {}))
    assert printed(screen).count("warning: the disk has room for 9 more minutes [2 MB/s]") == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_an_error_of_the_disk_is_one_sentence_and_code_1(
    capsys: pytest.CaptureFixture[str], code: int
) -> None:
    with pytest.raises(SystemExit) as end, errors_reported():
        raise OSError(code, os.strerror(code), "/some/file")
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"rtdecode: /some/file cannot be written ({os.strerror(code)};")
    with pytest.raises(FileNotFoundError), errors_reported():
        Path("/no/such/file").read_text()


def test_a_file_where_a_folder_is_needed_is_one_sentence_and_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below"):
        with pytest.raises(SystemExit) as end, errors_reported():
            path.mkdir()
        assert end.value.code == 2
        assert capsys.readouterr().err.startswith(f"rtdecode: {path} cannot be written (")
    with pytest.raises(FileExistsError), errors_reported():
        raise FileExistsError(errno.EEXIST, "without a path")


def test_the_address_of_the_page_is_printed_once() -> None:
    screen = console(terminal=False)
    table = LiveTable(screen)
    with table.displayed():
        for _ in range(3):
            table.update("view", Health("running", "http://127.0.0.1:4242", {}))
    assert printed(screen).count("http://127.0.0.1:4242") == 1


SECRET = "http://rig.lab:4242/?watch=abcdefghijklmnopqrstuvwxyz012345"
ADDRESSES = f"{SECRET}\n{SECRET.replace('watch', 'act')}"


def test_a_terminal_has_both_addresses_of_the_page_each_in_one_piece() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=30, color_system=None)
    table = LiveTable(screen)
    with table.displayed():
        table.update("view", Health("running", ADDRESSES, {"browsers": 1.0}))
        table.update("view", Health("running", ADDRESSES, {"browsers": 2.0}))
    watch, act = ADDRESSES.splitlines()
    assert printed(screen).count(f"Live page to watch: {watch}\n") == 1
    assert printed(screen).count(f"Live page to act: {act}\n") == 1


def test_output_that_is_no_terminal_has_no_token() -> None:
    screen = console(terminal=False)
    LiveTable(screen).update("view", Health("running", ADDRESSES, {}))
    assert "Live page: http://rig.lab:4242/ (with its tokens in page.txt" in printed(screen)
    assert "abcdefghijkl" not in printed(screen)


def test_an_ipv6_address_is_no_markup() -> None:
    screen = console(terminal=False)
    LiveTable(screen).update("view", Health("running", "http://[fd00::1]:4242/", {}))
    assert "Live page: http://[fd00::1]:4242/" in printed(screen)


def test_without_a_terminal_each_change_of_state_is_one_line() -> None:
    screen = console(terminal=False)
    table = LiveTable(screen)
    with table.displayed():
        for state in ("starting", "ready", "ready", "running"):
            table.update("decoder", Health(state, "", {}))
    assert printed(screen).splitlines() == [
        "decoder: starting",
        "decoder: ready",
        "decoder: running",
    ]


def test_a_named_error_is_printed_and_its_code_is_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, errors_reported():
        raise MissingFileError(what="twin", path=Path("t[1]"), remedy="make one")
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.err == "rtdecode: twin t[1] does not exist: make one\n"
    assert told.out == ""


def test_a_bug_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError), errors_reported():
        raise ZeroDivisionError


def test_of_latencies_the_table_has_only_the_medians() -> None:
    screen = console(terminal=True)
    table = LiveTable(screen)
    counted = {"decode_p50_ms": 31.0, "decode_p99_ms": 47.0, "decode_max_ms": 99.0}
    with table.displayed():
        table.update("evaluate", Health("running", "", counted))
    last = printed(screen).rsplit("process", 1)[-1]
    assert "decode_p50_ms 31" in last
    assert "47" not in last
    assert "99" not in last


def test_the_cursor_stays_while_the_table_is_displayed() -> None:
    screen = console(terminal=True)
    with LiveTable(screen).displayed():
        assert printed(screen).rfind(CURSOR_SHOWN) > printed(screen).rfind(CURSOR_HIDDEN)


def test_a_path_is_printed_without_wrapping_or_markup() -> None:
    screen, path = console(terminal=False), "/data/[bold]mouse/" + "x" * 200
    print_plain(screen, path)
    assert printed(screen) == path + "\n"


class StoppedTerminal(io.StringIO):
    """A terminal whose output can be stopped, as by Ctrl-S: writing waits meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.flows, self.waited = Event(), Event()
        self.flows.set()

    def write(self, text: str) -> int:
        if not self.flows.is_set():
            self.waited.set()
            self.flows.wait()
        return super().write(text)


def test_a_terminal_that_takes_no_output_does_not_delay_heartbeats() -> None:
    terminal = StoppedTerminal()
    table = LiveTable(Console(file=terminal, force_terminal=True, width=100))
    with table.displayed():
        terminal.flows.clear()
        terminal.waited.wait(60)
        heartbeat = Thread(target=table.update, args=("decoder", Health("running", "", {})))
        heartbeat.start()
        heartbeat.join(60)
        was_delayed = heartbeat.is_alive()
        terminal.flows.set()
        heartbeat.join(60)
    assert terminal.waited.is_set()
    assert not was_delayed
    assert "decoder" in terminal.getvalue()


def test_the_page_is_opened_once_and_only_where_there_is_a_display(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) is None)
    monkeypatch.setattr("sys.platform", "linux")
    table = LiveTable(console(terminal=False), on_page=open_in_browser)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    table.update("view", Health("running", "http://127.0.0.1:1", {}))
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    for _ in range(2):
        table.update("view", Health("running", "http://127.0.0.1:2", {}))
    assert opened == ["http://127.0.0.1:2"]


def test_an_interrupted_command_states_how_it_continues(capsys: pytest.CaptureFixture[str]) -> None:
    for sentence, expected in (("repeat it", "interrupted: repeat it\n"), ("", "")):
        with pytest.raises(SystemExit) as ended, errors_reported(interrupted=sentence):
            raise KeyboardInterrupt
        assert ended.value.code == 130
        assert capsys.readouterr().err == expected
