"""PrairieView's commands: their encoding, their answers, refusals."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.prairie import PrairieControl, PrairieSwitch, answer, encoded
from rtdecode.schema.errors import StreamError


class FakePrairie(threading.Thread):
    """Gives one client prepared answers to its commands, until it disconnects."""

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._reply = reply
        self.heard = b""

    def run(self) -> None:
        with self._listener, self._listener.accept()[0] as peer:
            while data := peer.recv(1000):
                self.heard += data
                if data != b"-x\r\n":
                    for at in range(0, len(self._reply), 3):
                        peer.sendall(self._reply[at : at + 3])


@contextmanager
def prairie(reply: bytes) -> Iterator[FakePrairie]:
    made = FakePrairie(reply)
    made.start()
    yield made
    made.join()


def test_arguments_stand_between_soh_and_end_with_crlf() -> None:
    assert encoded(["-srd", "True", "50"]) == b"-srd\x01True\x0150\r\n"


@pytest.mark.parametrize("argument", ["", "a\r\nb", "a\x01b", "ü"])
def test_what_would_end_an_argument_is_refused(argument: str) -> None:
    with pytest.raises(StreamError, match="cannot be an argument"):
        encoded(["-p", argument])


@given(cut=st.integers(0, 18))
def test_an_answer_is_read_once_it_is_complete(cut: int) -> None:
    whole = b"ACK\r\n512\r\n4\r\nDONE\r\n"
    assert answer(whole[:cut]) is None
    assert answer(whole) == ["512", "4"]


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(StreamError, match="ERROR unknown command"):
        answer(b"ACK\r\nERROR unknown command\r\n")
    with pytest.raises(StreamError, match="HELLO"):
        answer(b"HELLO\r\n")


def test_a_command_gives_its_answers_lines() -> None:
    with prairie(b"ACK\r\n7\r\nDONE\r\n") as fake:
        control = PrairieControl("127.0.0.1", fake.port)
        assert control.command("-gts", "samplesPerPixel") == ["7"]
        control.close()
    assert fake.heard == b"-gts\x01samplesPerPixel\r\n-x\r\n"


def test_the_stream_is_switched_on_and_off() -> None:
    with prairie(b"ACK\r\nDONE\r\n") as fake:
        switch = PrairieSwitch("127.0.0.1", fake.port, buffered_frames=9)
        switch.turn_on()
        switch.turn_off()
        switch.turn_off()
    assert fake.heard == b"-srd\x01True\x019\r\n-srd\x01False\r\n-x\r\n"


def test_a_prairieview_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(StreamError, match=f"no connection to 127.0.0.1:{port}"):
        PrairieControl("127.0.0.1", port)
