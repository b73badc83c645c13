"""A real run in a browser: a killed decoder in words, a note, a calm end, an accessible report."""

import re
import signal
from typing import Any

import pytest
from chromium import serious_violations
from live_run import process_of
from playwright.sync_api import Page

from rtdecode.session.recorded import RecordedSession

pytestmark = pytest.mark.system
WAIT_MS = 60_000
"""For a loaded machine; that a process was killed is stated after about half a second."""


def wait_for(tab: Page, element: str, pattern: str) -> None:
    tab.wait_for_function(
        "([id, text]) => new RegExp(text, 'i').test(document.getElementById(id).textContent)",
        arg=[element, pattern],
        timeout=WAIT_MS,
    )


def test_a_killed_decoder_is_stated_in_words_a_note_is_recorded_and_the_end_is_calm(
    user: Any, tab: Page
) -> None:
    with user.running("demo", "--headless", "--seconds", 100, "--out", "s") as running:
        address = next(found for line in running.stdout if (found := re.search(r"http\S+", line)))
        tab.goto(address.group())
        wait_for(tab, "frames", r"[1-9]")
        wait_for(tab, "recording-text", r"recording \d")
        wait_for(tab, "session", "^s$")
        tab.keyboard.press("n")
        tab.keyboard.type("eye closed")
        tab.click("#note [type=submit]")
        tab.keyboard.press("4")
        wait_for(tab, "all-events", "eye closed")
        process_of(running.pid, "rtdecode.pipeline.decoder").kill()
        wait_for(tab, "sentence", r"^decoder restarting since \d+ s")
        assert tab.get_attribute("#status", "data-level") in ("warning", "bad")
        running.send_signal(signal.SIGINT)
        said = running.communicate()[0]
        wait_for(tab, "title", "Ended")
        wait_for(tab, "end-losses", r"\.")
        report = user.folder / "s" / "report" / "index.html"
        assert tab.text_content("#end-report") == str(report)
    tab.goto(report.as_uri())
    assert serious_violations(tab) == []
    assert "eye closed" in said
    notes = [one for one in RecordedSession(user.folder / "s").events if one.code == "note"]
    assert [(one.process, one.text) for one in notes] == [("view", "eye closed")]
    assert user.left_running() == []
