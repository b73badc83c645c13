r"""Notes of a person about a session: their text, and the event that carries one into the log.

A note that is given while a session runs is an `Event` of the code `note`, with the time of its
message. The process that takes it, the supervisor for `rtdecode note` and the page's own for its
key, sends it: `process.offer_event(note_event(clean_note(text), process="view"))`.

>>> note_event(clean_note(" eye\tclosed \r\n"), process="view").text
'eye closed'
"""

import re
import unicodedata

from rtdecode.schema.errors import EmptyNoteError, NoteTooLongError
from rtdecode.schema.messages import Event

NOTE = "note"
"""Code of the events that are notes."""
MOST_CHARACTERS = 15_000
"""Of one note; a request to a run has 64 KiB, and a character up to 4 bytes."""
_CONTROL = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Categories of Unicode without a glyph: control and format characters, halves of pairs."""
_LINE_END = re.compile("\r\n|[\r\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need between letters."""


def clean_note(text: str) -> str:
    """`text` with lines that end in a newline alone, and without what cannot be displayed.

    Raises
    ------
    EmptyNoteError
        If nothing is left.
    NoteTooLongError
        If more than `MOST_CHARACTERS` are left.
    """
    lines = _LINE_END.sub("\n", text).replace("\t", " ").split("\n")
    shown = "\n".join("".join(filter(_is_shown, line)).rstrip() for line in lines).strip()
    if not shown:
        raise EmptyNoteError
    if len(shown) > MOST_CHARACTERS:
        raise NoteTooLongError(got=len(shown), most=MOST_CHARACTERS)
    return shown


def _is_shown(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _CONTROL


def note_event(text: str, *, process: str) -> Event:
    """The event of a note that `process` has taken; `text` as `clean_note` gives it."""
    return Event("info", process, NOTE, text)
