"""The video of a session has every frame at its time, as it was displayed and decoded."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from shown_run import FRAMES, LAG, write_shown_run

from rtdecode.export.lettering import enlarged
from rtdecode.export.mp4 import Video, write_mp4
from rtdecode.export.panels import Panels, Sentences, Trace
from rtdecode.export.span import Span
from rtdecode.schema.errors import NoScreenMaskError, NoSuchStreamError
from rtdecode.session.recorded import RecordedSession

COMPRESSION = 3.0
"""Largest mean difference in grey levels that compression may cause."""
SPAN = Span(2.0, 3.0)
N = 30


def pictures(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as file:
        yield from (frame.to_ndarray(format="rgb24") for frame in file.decode(video=0))


@pytest.fixture(scope="module")
def video(shown: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    return path, write_mp4(RecordedSession(shown), path, span=SPAN)


def test_frames_are_those_of_the_session_at_their_times(
    video: tuple[Path, list[str]], session: RecordedSession
) -> None:
    path, lacks = video
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name in {"vp9", "libvpx-vp9"}
        assert stream.average_rate == 30
        assert stream.duration * stream.time_base == Fraction(N, 30)
        assert "rtdecode" in file.metadata["title"]
        times = [frame.time for frame in file.decode(video=0)]
    np.testing.assert_allclose(times, np.arange(N) / 30, atol=1e-6)
    nothing = np.zeros(0)
    panels = Panels(
        session.decoded.shape[1:],
        sentences=Sentences("", "", ""),
        trace=Trace(nothing, nothing, 0, 1),
    )
    height, width = panels.panel_px
    first = FRAMES - N
    for k, picture in enumerate(pictures(path)):
        assert picture.shape == (*panels.size, 3)
        for number, grey in ((0, first + k), (1, first + k + 0.25)):
            row, col = panels.corner(number)
            shown = picture[row : row + height, col : col + width].astype(float)
            if number == 0 or k < N - LAG:
                assert np.abs(shown - grey).mean() < COMPRESSION, (number, k)
            else:
                assert np.abs(shown - grey).mean() > COMPRESSION
    assert lacks == [f"Of its {N} frames, {LAG} not decoded, {LAG} without an uncertainty."]


def test_sharp_pixels_survive_compression(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = [
        np.repeat(enlarged(rng.integers(0, 256, (8, 12), np.uint8), 8)[..., None], 3, axis=-1)
        for _ in range(5)
    ]
    with Video(tmp_path / "a.mp4", (64, 96), rate_hz=Fraction(25), title="t") as video:
        for frame in frames:
            video.add(frame)
    found = list(pictures(tmp_path / "a.mp4"))
    assert len(found) == len(frames)
    for frame, shown in zip(frames, found, strict=True):
        assert np.abs(shown.astype(float) - frame).mean() < COMPRESSION


def test_a_session_without_reconstructions_is_refused(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", decoded=False).folder)
    with pytest.raises(NoSuchStreamError, match="its config has no decoder"):
        write_mp4(session, tmp_path / "a.mp4")


def test_an_outline_needs_a_screen_mask(session: RecordedSession, tmp_path: Path) -> None:
    with pytest.raises(NoScreenMaskError, match="rtdecode fit mask"):
        write_mp4(session, tmp_path / "a.mp4", span=Span(2.9, 3.0), mask=True)


def test_the_outline_of_the_screen_mask_is_drawn(tmp_path: Path) -> None:
    mask = np.zeros((36, 64), bool)
    mask[10:20, 20:40] = True
    np.save(tmp_path / "mask.npy", mask)
    evaluate = {"screen_mask": str(tmp_path / "mask.npy")}
    session = RecordedSession(write_shown_run(tmp_path / "run", evaluate=evaluate).folder)
    paths = [tmp_path / "plain.mp4", tmp_path / "outlined.mp4"]
    for path, is_drawn in zip(paths, (False, True), strict=True):
        write_mp4(session, path, span=Span(0.5, 0.6), mask=is_drawn)
    plain, outlined = (next(pictures(path)).astype(float) for path in paths)
    assert np.abs(plain - outlined).max() > 100
