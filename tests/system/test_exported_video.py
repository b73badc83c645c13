"""The video of a session plays in a browser."""

from base64 import b64encode
from pathlib import Path

import pytest
from chromium import browser, tab
from playwright.sync_api import Page
from shown_run import write_shown_run

from rtdecode.export.mp4 import write_mp4
from rtdecode.export.span import Span
from rtdecode.session.recorded import RecordedSession

pytestmark = pytest.mark.system
__all__ = ["browser", "tab"]

PAGE = (
    "<!doctype html><title>video</title><video id=v src='data:video/mp4;base64,{}' muted></video>"
)
PLAYED = """async () => {
    const video = document.getElementById("v");
    if (video.readyState < 1) await new Promise((done) => { video.onloadedmetadata = done; });
    const {duration, videoWidth, videoHeight} = video;
    video.currentTime = 0.8;
    await new Promise((done) => { video.onseeked = done; });
    const canvas = new OffscreenCanvas(videoWidth, videoHeight).getContext("2d");
    canvas.drawImage(video, 0, 0);
    const [row, col] = [200, 100];
    const pixel = [...canvas.getImageData(col, row, 1, 1).data];
    return {duration, videoWidth, videoHeight, pixel, error: video.error && video.error.message};
}"""


def test_a_browser_plays_the_video_with_the_frames_of_the_session(
    tab: Page, tmp_path: Path
) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run").folder)
    write_mp4(session, tmp_path / "talk.mp4", span=Span(1.0, 2.0))
    # a page may read the pixels of what it holds itself
    tab.set_content(PAGE.format(b64encode((tmp_path / "talk.mp4").read_bytes()).decode()))
    played = tab.evaluate(PLAYED)
    assert played["error"] is None
    assert played["duration"] == pytest.approx(1.0, abs=0.01)
    assert (played["videoWidth"], played["videoHeight"]) == (1920, 520)
    # frame 54 of the session is displayed as grey level 54
    assert played["pixel"][:3] == pytest.approx([54] * 3, abs=4)
