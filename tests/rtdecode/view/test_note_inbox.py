"""A note from the page is an event of the log, and one that is refused is answered with why."""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from rtdecode.schema.config.session import ViewConfig
from rtdecode.schema.messages import End, Event
from rtdecode.view.access import page_addresses
from rtdecode.view.note_inbox import MOST_BYTES, NoteInbox
from rtdecode.view.server import PageServer

RUN = "secret of the run"


@pytest.fixture
def server(rig: Any) -> Iterator[tuple[PageServer, str]]:
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=rig.clock)
    try:
        yield server, server.start()
    finally:
        server.stop()


def post(address: str, body: bytes, **headers: str) -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("POST", "/note", body, headers)
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


def sent(inbox: NoteInbox) -> list[str]:
    texts: list[str] = []

    def offer(event: Event) -> bool:
        texts.append(event.text)
        return True

    inbox.send(offer)
    return texts


def test_notes_are_sent_in_order_and_kept_until_they_can_be_sent(
    server: tuple[PageServer, str],
) -> None:
    page, address = server
    for note in ("eye closed", "grün: läuft"):
        assert post(address, note.encode()) == (204, "")
    page.notes.send(lambda _event: False)
    assert sent(page.notes) == ["eye closed", "grün: läuft"]
    post(address, b"last")
    page.notes.send(lambda _event: False)
    assert page.notes.left == ["last"]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b" \n", 400, "the note is empty"),
        (b"\xff", 400, "codec"),
        (b"x" * (MOST_BYTES + 1), 413, "at most"),
    ],
)
def test_what_is_no_note_is_refused_in_words(
    server: tuple[PageServer, str], body: bytes, status: int, part: str
) -> None:
    page, address = server
    got, text = post(address, body)
    assert (got, part in text) == (status, True)
    assert sent(page.notes) == []


def test_a_page_of_another_site_writes_no_note(server: tuple[PageServer, str]) -> None:
    page, address = server
    assert post(address, b"hello", Origin="http://elsewhere.example")[0] == 403
    assert sent(page.notes) == []


def test_notes_do_not_wait_without_end(server: tuple[PageServer, str]) -> None:
    answers = {post(server[1], b"x")[0] for _ in range(60)}
    assert answers == {204, 503}


def test_after_the_end_the_verb_is_named(server: tuple[PageServer, str], rig: Any) -> None:
    page, address = server
    page._page.packets_of([rig.received(End("s", "stopped"))])
    status, text = post(address, b"too late")
    assert (status, "rtdecode note" in text) == (409, True)


def test_the_address_to_watch_writes_no_note(rig: Any) -> None:
    config = ViewConfig(names=("rig.lab",))
    server = PageServer(config, frame_rate_hz=30.0, clock=rig.clock, secret=RUN)
    try:
        address = server.start()
        watch, act = page_addresses(address, secret=RUN).values()
        port = f"http://127.0.0.1:{urlsplit(address).port}/"
        for given, status in ((watch, 403), (act, 204)):
            bearer = f"Bearer {given.partition('=')[2]}"
            assert post(port, b"a note", Authorization=bearer)[0] == status
        assert sent(server.notes) == ["a note"]
    finally:
        server.stop()
