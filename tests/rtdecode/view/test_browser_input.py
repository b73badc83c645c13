"""A browser may send what the page's own script sends, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.view.access import Right
from rtdecode.view.browser_input import (
    BURST,
    PER_S,
    BrowserInput,
    BrowserMessage,
    UnwantedInputError,
)

S = 1_000_000_000


def code_of(browser: BrowserInput, text: str | None) -> int:
    with pytest.raises(UnwantedInputError) as refused:
        browser.read(text, t_ns=0)
    return refused.value.code


def test_what_the_page_sends_is_read() -> None:
    browser = BrowserInput(Right.ACT)
    for text, expected in (
        ("1031", BrowserMessage("", 1031)),
        ("alarm 3", BrowserMessage("alarm", 3)),
        ("arm 1", BrowserMessage("arm", 1)),
        ("renew 1", BrowserMessage("renew", 1)),
        ("disarm 1", BrowserMessage("disarm", 1)),
    ):
        assert browser.read(text, t_ns=0) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "-1",
        "1.0",
        "Ā",
        "²",
        "٣",
        "arm",
        "arm  1",
        "ARM 1",
        "reboot 1",
        "9" * 19,
    ],
)
def test_a_message_of_another_form_ends_the_connection(text: str) -> None:
    assert code_of(BrowserInput(Right.ACT), text) == 1008


@given(text=st.text(max_size=64))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        found = BrowserInput(Right.ACT).read(text, t_ns=0)
    except UnwantedInputError as refused:
        assert refused.code == 1008  # noqa: PT017
    else:
        assert f"{found.what} {found.number}".strip() in (text, text.lstrip("0"), f"{int(text)}")


def test_a_binary_message_ends_the_connection() -> None:
    assert code_of(BrowserInput(Right.ACT), None) == 1003


@pytest.mark.parametrize("text", ["arm 1", "renew 1", "disarm 1", "alarm 3"])
def test_a_browser_that_may_watch_may_not_act(text: str) -> None:
    assert code_of(BrowserInput(Right.WATCH), text) == 1008
    assert BrowserInput(Right.WATCH).read("7", t_ns=0).number == 7


def test_a_frame_drawn_60_times_a_second_is_no_flood() -> None:
    browser = BrowserInput(Right.WATCH)
    for frame in range(60 * 60):
        assert browser.read(str(frame), t_ns=frame * S // 60).number == frame


@pytest.mark.parametrize("per_s", [PER_S * 2, PER_S * 100])
def test_a_flood_ends_the_connection_after_a_bounded_number(per_s: int) -> None:
    browser, read = BrowserInput(Right.ACT), 0

    def flood() -> None:
        nonlocal read
        while True:
            browser.read("1", t_ns=read * S // per_s)
            read += 1

    with pytest.raises(UnwantedInputError, match="too many"):
        flood()
    assert BURST <= read <= 2 * BURST + 1
