"""Notes about a session that are given after its end: `notes.jsonl` in its folder.

A line is one note, `{"utc": …, "text": …}`, and is appended, so that no note replaces another one.
Notes of the running session are events of its log (`rtdecode.schema.notes`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rtdecode.schema.disk import write_errors_named
from rtdecode.session.layout import SessionLayout


@dataclass(frozen=True, slots=True)
class LaterNote:
    """A note that was given after the end of its session."""

    utc: datetime
    text: str

    def sentence(self) -> str:
        """The note and when it was given."""
        return f"Note of {self.utc:%Y-%m-%d %H:%M} UTC: {self.text}"


def append_note(layout: SessionLayout, text: str, *, utc: datetime) -> LaterNote:
    """Append `text`, as `clean_note` gives it, to `notes.jsonl`; FileWriteError."""
    note = LaterNote(utc.astimezone(UTC), text)
    plain = {"utc": note.utc.isoformat(timespec="seconds"), "text": text}
    path = layout.notes
    with write_errors_named(path):
        # a line that a full disk has cut must not take this one with it
        needs_newline = path.is_file() and path.stat().st_size and path.read_bytes()[-1:] != b"\n"
        with path.open("ab") as file:
            line = json.dumps(plain, ensure_ascii=False) + "\n"
            file.write(("\n" * bool(needs_newline) + line).encode())
    return note


def later_notes(layout: SessionLayout) -> Sequence[LaterNote]:
    """The notes in `notes.jsonl`, in the order in which they were given.

    A line that cannot be read is given as it is, with the time of the file.
    """
    try:
        # not splitlines, which divides at characters that a text may hold
        lines = layout.notes.read_bytes().decode(errors="replace").split("\n")
        changed = datetime.fromtimestamp(layout.notes.stat().st_mtime, UTC)
    except OSError:
        return ()
    return [_note(line, changed) for line in lines if line.strip()]


def _note(line: str, changed: datetime) -> LaterNote:
    try:
        found = json.loads(line)
        utc = datetime.fromisoformat(found["utc"])
        return LaterNote(utc if utc.tzinfo else utc.replace(tzinfo=UTC), str(found["text"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return LaterNote(changed, f"(a line that cannot be read) {line}")
