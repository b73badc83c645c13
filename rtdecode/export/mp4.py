"""Writes a recorded session as a video: displayed, decoded, error and uncertainty side by side.

Duties: draw every frame of the grid, encode the pictures as VP9 in an MP4 file, at the frame rate
of the session, and state what the video lacks. A frame that is missing is an empty panel with
words, so that the video lasts as long as the session. VP9 is free to use and plays in browsers;
x264 is not used, because it is GPL.

    write_mp4(RecordedSession("sessions/2026-11-30_09-00-00"), Path("talk.mp4"))
"""

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.screen_mask import read_screen_mask
from rtdecode.export.moments import Moment, Moments
from rtdecode.export.panels import Panels, Sentences, Trace
from rtdecode.export.span import Span
from rtdecode.schema.errors import NoScreenMaskError
from rtdecode.session.recorded import RecordedSession

_CODEC = "libvpx-vp9"
_SETTINGS = MappingProxyType(
    {
        "crf": "18",
        "b": "0",  # no limit of the rate: the quality is given by crf
        "deadline": "realtime",
        "cpu-used": "8",
        "row-mt": "1",
        "tile-columns": "2",
    }
)
"""The fastest of libvpx: a core encodes about as fast as the session lasts."""
_KEY_FRAMES_S = 2
"""Seconds between frames from which a player can start."""
_BT709, _LIMITED = 1, 1
"""Colour space and range that players assume."""
_WHOLE = Span()


def write_mp4(
    session: RecordedSession,
    out: Path,
    *,
    span: Span = _WHOLE,
    mask: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Write `session` into the new file `out`, and give sentences on what the video lacks.

    Parameters
    ----------
    span
        Part of the session.
    mask
        Whether the outline of the screen mask is drawn.
    progress
        Called with the number of frames that were written, and of all that will be.

    Raises
    ------
    NoSuchStreamError
        If nothing was decoded in the session.
    TimeSpanError
        If nothing was displayed or decoded in `span`.
    NoScreenMaskError
        If an outline is asked for, and the session has no screen mask.
    """
    sentences, moments = _sentences(session), Moments(session, span)
    panels = Panels(
        moments.shape,
        sentences=sentences,
        trace=_trace(moments),
        mask=_mask(session, moments.shape) if mask else None,
    )
    rate_hz = Fraction(session.config.frame_rate_hz).limit_denominator(1001)
    missing = Counter[str]()
    with Video(
        out, panels.size, rate_hz=rate_hz, title=f"rtdecode session {session.name}"
    ) as video:
        for done, moment in enumerate(_counted(moments, missing), start=1):
            video.add(panels.picture(moment))
            progress(done, len(moments))
    scored = [] if moments.score_t_s.size else ["The session has no running score."]
    return [*_lacking(missing, len(moments)), *scored]


class Video:
    """A VP9 video in an MP4 file, picture by picture.

    Parameters
    ----------
    path
        The new file.
    size
        (height, width) of the pictures in px; both even.
    rate_hz
        Pictures a second.
    title
        Title in the metadata of the file.
    """

    def __init__(self, path: Path, size: tuple[int, int], *, rate_hz: Fraction, title: str) -> None:
        # the types of streams that PyAV states do not follow from the codec
        self._file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._file.metadata["title"] = title
        self._file.metadata["comment"] = f"written by rtdecode {version('rtdecode')}"
        self._stream = cast(
            Any, self._file.add_stream(_CODEC, rate=rate_hz, options=dict(_SETTINGS))
        )
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.gop_size = round(_KEY_FRAMES_S * rate_hz)
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED
        self._n_pictures, self._rate_hz = 0, rate_hz

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append one (row, col, rgb) picture."""
        frame: Any = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts, frame.time_base = self._n_pictures, 1 / self._rate_hz
        self._n_pictures += 1
        self._file.mux(self._stream.encode(frame))

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        try:
            if kind is None:
                self._file.mux(self._stream.encode(None))
        finally:
            self._file.close()


def _counted(moments: Moments, missing: Counter[str]) -> Iterator[Moment]:
    """The moments; what they lack is counted."""
    for moment in moments:
        missing["displayed"] += moment.displayed is None
        missing["decoded"] += moment.decoded is None
        missing["uncertainty"] += moment.uncertainty is None
        yield moment


def _lacking(missing: Counter[str], frames: int) -> list[str]:
    what = {
        "displayed": "without a displayed frame",
        "decoded": "not decoded",
        "uncertainty": "without an uncertainty",
    }
    found = [f"{missing[name]:,} {text}" for name, text in what.items() if missing[name]]
    return [f"Of its {frames:,} frames, {', '.join(found)}."] if found else []


def _sentences(session: RecordedSession) -> Sentences:
    lags = session.decoded.coords["lag_frames"][1]
    lag, rate_hz = int(np.median(lags)), session.config.frame_rate_hz
    same = "decoded and displayed frame of the same moment"
    return Sentences(
        lag=f"lag {lag} frames ({1000 * lag / rate_hz:.0f} ms)",
        footer="  ·  ".join((f"Session {session.name}", same, f"rtdecode {version('rtdecode')}")),
        score_window=f"last {session.config.evaluate.window_s:.0f} s",
    )


def _trace(moments: Moments) -> Trace:
    lasts_s = len(moments) / moments.rate_hz
    start_s = moments.start_s
    return Trace(moments.score_t_s, moments.score_r, start_s, start_s + lasts_s)


def _mask(session: RecordedSession, shape: tuple[int, int]) -> NDArray[np.bool_]:
    path = session.config.evaluate.screen_mask
    if path is None:
        raise NoScreenMaskError(session=session.folder)
    return read_screen_mask(path, shape=shape)
