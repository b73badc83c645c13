"""Pictures and words of a session, from its log into its `report` folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair, Pairing
from rtdecode.report.session_report import write_session_report
from rtdecode.report.summary import Summary
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Reconstruction, Score
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_MOST_PAIRS = 400
_HELD_S = 10.0
_KINDS = (DisplayedFrame.kind, Reconstruction.kind, Score.kind)


@dataclass(slots=True)
class _Scenes:
    """Pairs of shown and decoded frames, evenly over the session however long it is."""

    every: int = 15
    pairs: dict[int, Pair] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        if pair.frame % self.every == 0 and pair.reconstruction.warm:
            self.pairs[pair.frame] = pair
        if len(self.pairs) > _MOST_PAIRS:
            self.every *= 2
            self.pairs = {n: one for n, one in self.pairs.items() if n % self.every == 0}


def report_session(session: SessionLayout, summary: Summary) -> None:
    """Write picture, page and words of `session`; what it has none of is said there.

    Where nothing was reconstructed they show what the calcium chain saw.
    """
    (session.report / "summary.txt").write_text(summary.in_words() + "\n", encoding="utf-8")
    config = read_config(session.config)
    if config.decode is None:
        # the calcium chain takes half a second to import, and only such sessions need it
        from rtdecode.report.calcium_page import report_calcium

        if report_calcium(session, summary, config.calcium):
            return
    _report_reconstructions(session, summary, config)


def _report_reconstructions(session: SessionLayout, summary: Summary, config: RunConfig) -> None:
    scenes, scores = _collected(session, config.emit.frame_rate_hz)
    pairs = scenes.pairs.values()
    screen = (config.stimulus.rows_px, config.stimulus.cols_px)
    write_session_report(
        session.report,
        summary=summary.as_json(),
        truth=_stacked((pair.shown.luminance for pair in pairs), screen),
        reconstruction=_stacked((pair.reconstruction.luminance for pair in pairs), screen),
        scores=scores,
        frame_rate_hz=config.emit.frame_rate_hz / scenes.every,
    )


def _collected(
    session: SessionLayout, frame_rate_hz: float
) -> tuple[_Scenes, list[tuple[float, float]]]:
    """Scenes, and the running score as (seconds since the first message, video r)."""
    scenes, scores = _Scenes(), list[tuple[float, float]]()
    pairing = Pairing(FrameGrid(frame_rate_hz), hold_frames=round(_HELD_S * frame_rate_hz))
    first_ns: int | None = None
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(_KINDS)):
        first_ns = item.message.t_ns if first_ns is None else first_ns
        if isinstance(item.message.body, Score) and not item.message.body.final:
            scores.append(((item.message.t_ns - first_ns) / 1e9, item.message.body.video_r))
        for pair in pairing.take(item.message):
            scenes.add(pair)
    return scenes, scores


def _stacked(frames: Iterator[NDArray[np.generic]], screen: tuple[int, int]) -> NDArray[np.float32]:
    found = [frame.astype(np.float32) for frame in frames]
    return np.stack(found) if found else np.zeros((0, *screen), np.float32)
