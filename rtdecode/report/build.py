"""Writes a session's report folder from its log and its summary."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import Pair, Pairing
from rtdecode.report import html
from rtdecode.report.closed_loop_page import closed_loop_parts
from rtdecode.report.session_report import write_session_report
from rtdecode.report.summary import SessionSummary
from rtdecode.report.trial_tables import CSV, TSV, write_trial_tables
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.disk import write_errors_named
from rtdecode.schema.config import RunConfig
from rtdecode.schema.control import Trial
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Reconstruction
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_MOST_PAIRS = 400
_HELD_S = 10.0
_TRIALS = f"/{Trial.kind}"
_KINDS = (DisplayedFrame.kind, Reconstruction.kind)


@dataclass(slots=True)
class _EvenPairs:
    """Pairs of displayed and decoded frames, at most `_MOST_PAIRS`, evenly over the session."""

    every: int = 15
    pairs: dict[int, Pair] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        if pair.frame % self.every == 0 and pair.reconstruction.warm:
            self.pairs[pair.frame] = pair
        if len(self.pairs) > _MOST_PAIRS:
            self.every *= 2
            self.pairs = {n: one for n, one in self.pairs.items() if n % self.every == 0}


def report_session(session: SessionLayout, summary: SessionSummary) -> None:
    """Write `summary.txt`, `index.html` and a picture into the report folder of `session`.

    A session without a decoder gets the picture of its ROIs and traces instead of frames, and one
    with a protocol the tables of its trials. Raises FileWriteError where the disk refuses a file.
    """
    with write_errors_named(session.report):
        session.report.mkdir(exist_ok=True)
        _write(session, summary)


def _write(session: SessionLayout, summary: SessionSummary) -> None:
    (session.report / "summary.txt").write_text(summary.text() + "\n", encoding="utf-8")
    config = read_config(session.config)
    if any(stream.endswith(_TRIALS) for stream in summary.messages):
        _write_trials(session, summary)
    if config.decode is None:
        # the calcium chain takes half a second to import, and only such sessions need it
        from rtdecode.report.calcium_page import report_calcium

        if report_calcium(session, summary, config.calcium):
            return
    _report_reconstructions(session, summary, config)


def _write_trials(session: SessionLayout, summary: SessionSummary) -> None:
    items = LogReader(session.log).messages(lambda stream: stream.endswith(_TRIALS))
    bodies = (item.message.body for item in items)
    trials = [body for body in bodies if isinstance(body, Trial)]
    write_trial_tables(
        session.report, trials, first_ns=summary.first_ns, session=session.folder.name
    )


def _trials_named(summary: SessionSummary) -> list[str]:
    """A paragraph that names the tables of the trials; none where there are no trials."""
    n = sum(count for stream, count in summary.messages.items() if stream.endswith(_TRIALS))
    stated = f"The trials of the protocol ({n:,}) are in {CSV} and {TSV} beside this page."
    return [html.paragraph(stated)] if n else []


def _report_reconstructions(
    session: SessionLayout, summary: SessionSummary, config: RunConfig
) -> None:
    more = _trials_named(summary)
    more += [] if config.control is None else closed_loop_parts(session, summary, config)
    even = _even_pairs(session, config.frame_rate_hz)
    pairs = even.pairs.values()
    screen = (config.stimulus.rows_px, config.stimulus.cols_px)
    write_session_report(
        session.report,
        summary=summary,
        displayed=_stacked((pair.displayed.luminance for pair in pairs), screen),
        decoded=_stacked((pair.reconstruction.luminance for pair in pairs), screen),
        t_s=np.array([_mid_s(pair, summary) for pair in pairs]),
        more=more,
    )


def _mid_s(pair: Pair, summary: SessionSummary) -> float:
    """Middle of the frame in s since the first message."""
    return (pair.reconstruction.t_frame_mid_ns - summary.first_ns) / 1e9


def _even_pairs(session: SessionLayout, frame_rate_hz: float) -> _EvenPairs:
    even = _EvenPairs()
    pairing = Pairing(FrameGrid(frame_rate_hz), hold_frames=round(_HELD_S * frame_rate_hz))
    for item in LogReader(session.log).messages(lambda stream: stream.endswith(_KINDS)):
        for pair in pairing.add(item.message):
            even.add(pair)
    return even


def _stacked(frames: Iterator[NDArray[np.generic]], screen: tuple[int, int]) -> NDArray[np.float32]:
    found = [frame.astype(np.float32) for frame in frames]
    return np.stack(found) if found else np.zeros((0, *screen), np.float32)
