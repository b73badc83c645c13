"""What a person types becomes a note that can be displayed, or is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.codec import pack, unpack
from rtdecode.schema.errors import EmptyNoteError, NoteTooLongError
from rtdecode.schema.messages import Event, Stamped
from rtdecode.schema.notes import MOST_CHARACTERS, NOTE, clean_note, note_event


@given(text=st.text(max_size=40))
def test_a_note_stays_as_it_is_when_it_is_cleaned_again_and_on_the_wire(text: str) -> None:
    try:
        note = clean_note(text)
    except EmptyNoteError:
        return
    assert clean_note(note) == note
    message = Stamped("view", 0, 5, "host", note_event(note, process="view"))
    body = unpack(pack(message)).body
    assert isinstance(body, Event)
    assert (body.text, body.code, body.severity) == (note, NOTE, "info")


def test_lines_letters_and_emoji_are_kept_and_control_characters_are_not() -> None:
    given = "  Tier träge\r\nπ > 3 \x1b[31m red\x00\n\n👩‍🔬 looked \t in  "
    assert clean_note(given) == "Tier träge\nπ > 3 [31m red\n\n👩‍🔬 looked   in"


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00\x07", "\ud800"])
def test_nothing_is_no_note(text: str) -> None:
    with pytest.raises(EmptyNoteError, match="empty"):
        clean_note(text)


def test_ten_kilobytes_are_kept_and_more_than_an_event_holds_is_refused() -> None:
    assert len(clean_note("x" * 10_240)) == 10_240
    with pytest.raises(NoteTooLongError, match=r"15,001 characters, and at most 15,000"):
        clean_note("x" * (MOST_CHARACTERS + 1))
