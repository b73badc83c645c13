"""Trials of a session, as tables of intervals of an NWB file.

`trials` has what the experimenter displayed: the trials of the protocol, and every presentation of
a clip outside of them. `segments` has what rtdecode trains and scores on: presentations, or parts
of about 10 s of longer ones, with the tier of each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtdecode.datasets.nwb_export import SEGMENTS
from rtdecode.export.nwb_library import Column, fields_of, intervals
from rtdecode.export.recorded_segments import Images, RecordedSegment, recorded_segments
from rtdecode.export.session_content import SessionContent

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class _Row:
    start_ns: int
    stop_ns: int
    clip: str
    block: str = ""
    number: int = -1
    action: int = -1
    parameters: dict[str, float] = field(default_factory=dict)


def add_trials(file: Any, content: SessionContent) -> None:
    """Add the trials; no table where nothing was displayed."""
    rows = sorted(_rows(content), key=lambda row: row.start_ns)
    if rows:
        file.trials = intervals(
            "trials",
            "Trials of the stimulus protocol, and presentations of clips outside of them, from "
            "the flip of the first frame to that of the first frame after it.",
            _columns(rows, content),
        )


def _columns(rows: Sequence[_Row], content: SessionContent) -> list[Column]:
    seconds = content.seconds
    columns = [
        Column("start_time", "Start in s.", [seconds(row.start_ns) for row in rows]),
        Column("stop_time", "Stop in s.", [seconds(row.stop_ns) for row in rows]),
        Column("clip", "Clip, or stimulus of the protocol.", [row.clip for row in rows]),
    ]
    if content.trials:
        columns += fields_of(
            rows,
            block="Block of the protocol; empty outside of it.",
            number="Number in the order of the protocol; -1 outside of it.",
        )
    if any(row.action >= 0 for row in rows):
        what = "Number of the action that asked for it, in the table 'actions'; -1: none."
        columns.append(Column("action", what, [row.action for row in rows]))
    names = sorted({name for row in rows for name in row.parameters})
    return columns + [
        Column(
            f"parameter_{name}",
            f"{name} of the stimulus; NaN where it has none.",
            [row.parameters.get(name, _NAN) for row in rows],
        )
        for name in names
    ]


def _rows(content: SessionContent) -> Iterator[_Row]:
    for trial in content.trials:
        if trial.t_end_ns > trial.t_start_ns:
            yield _Row(
                trial.t_start_ns,
                trial.t_end_ns,
                trial.stimulus,
                trial.block,
                trial.number,
                trial.cause,
                trial.parameters,
            )
    spans = sorted((trial.t_start_ns, trial.t_end_ns) for trial in content.trials)
    starts = [start for start, _ in spans]
    for row in _presentations(content):
        place = int(np.searchsorted(starts, row.start_ns, side="right")) - 1
        if place < 0 or row.start_ns >= spans[place][1]:
            yield row


def _presentations(content: SessionContent) -> Iterator[_Row]:
    """Runs of displayed frames of one clip whose index rises."""
    frames = content.displayed
    first = 0
    for place in range(1, len(frames) + 1):
        if place < len(frames):
            before, now = frames[place - 1], frames[place]
            if now.clip == before.clip and now.index > before.index:
                continue
        start_ns = frames[first].t_flip_ns
        stop_ns = frames[min(place, len(frames) - 1)].t_flip_ns
        if stop_ns > start_ns:
            yield _Row(start_ns, stop_ns, frames[first].clip)
        first = place


def add_segments(file: Any, content: SessionContent, images: Images) -> list[str]:
    """Add the segments with their tiers; a sentence where there are too few clips for tiers."""
    found, lacks = recorded_segments(content, images)
    if found:
        file.add_time_intervals(_segments(content, found))
    return lacks


def _segments(content: SessionContent, found: Sequence[RecordedSegment]) -> Any:
    grid, segments = content.grid, [one.segment for one in found]
    columns = [
        Column(
            "start_time",
            "Start of the first frame in s.",
            [content.seconds(grid.start_ns(one.frames.start)) for one in segments],
        ),
        Column(
            "stop_time",
            "End of the last frame in s.",
            [content.seconds(grid.start_ns(one.frames.stop)) for one in segments],
        ),
        *fields_of(
            segments,
            clip="Clip, or stimulus of the protocol.",
            part="Part of the clip, from 0.",
        ),
        Column(
            "first_frame", "First frame on the frame grid.", [one.frames.start for one in segments]
        ),
        Column("n_frames", "Number of frames.", [len(one.frames) for one in segments]),
    ]
    if tiers := [one.tier for one in found if one.tier is not None]:
        what = "train, oracle (validation) or test; equal clips have the same."
        columns.append(Column("tier", what, tiers))
    return intervals(
        SEGMENTS,
        "Presentations of clips, or parts of about 10 s of longer ones, on the frame grid of the "
        "activity: the trials on which rtdecode trains and scores.",
        columns,
    )
