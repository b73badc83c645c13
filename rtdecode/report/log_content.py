"""What the messages of a log add up to, for the summary of its session.

The log is read once: all messages are counted, and those that the summary or a report needs are
unpacked.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rtdecode.evaluate.latency import OutputTiming
from rtdecode.evaluate.loop_latency import LoopLatency
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.output_count import OutputCount
from rtdecode.evaluate.running import DecodedSegments
from rtdecode.report.collected import Collected
from rtdecode.report.twin_check import TwinCheckSource
from rtdecode.runtime.clock_state import HostClocks
from rtdecode.runtime.codec import unpack
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.messages import (
    Body,
    End,
    Health,
    Received,
    Reconstruction,
    Responses,
    Scan,
    Start,
)
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader, LogSummary
from rtdecode.session.session_file import wall_clock_of

_NS_PER_S = 1e9
_RESPONSES = f"decoder/{Responses.kind}"


class LogContent:
    """What the messages of a log add up to, apart from the score."""

    def __init__(self, config: RunConfig, twin: TwinCheckSource) -> None:
        self._twin = twin
        self.checked: list[ResponsePrediction] = []
        self.timing = OutputTiming(frame_rate_hz=config.frame_rate_hz)
        self.count, self.loop = OutputCount(), LoopLatency()
        self.segments = DecodedSegments(frame_rate_hz=config.frame_rate_hz)
        self.without_end: dict[str, None] = {}
        """Sources that started and have not ended, in the order of their starts."""
        self.by_plane: Counter[int] = Counter()
        self.running: list[tuple[float, float | None]] = []
        self.clocks = HostClocks(config.network)
        self.neurons: int | None = None
        self.causality: str | None = None
        self.wall_clock: WallClock | None = None

    def add(self, item: Received) -> None:
        self.count.count(item)
        self.loop.add(item.message.body)
        results = self._twin.step([item])
        self.checked += (one for one in results if isinstance(one, ResponsePrediction))
        match item.message.body:
            case Scan() as scan:
                self.by_plane[scan.plane] += 1
            case Reconstruction() as frame:
                self.timing.add(frame, item.message.t_ns)
                self.segments.add(frame.t_frame_mid_ns)
            case Health() as health:
                self.clocks.add(item.message.source, health)
            case Start() as start:
                self.wall_clock = self.wall_clock or wall_clock_of(start)
                self.without_end[item.message.source] = None
            case End():
                self.without_end.pop(item.message.source, None)


def read_log(
    session: SessionLayout,
    content: LogContent,
    score: OnlineScore,
    kinds: tuple[str, ...],
    collected: Collected | None,
) -> LogSummary:
    """Pass the messages of `kinds` on to `content` and `score`, and count those of all streams."""
    reader, counts = LogReader(session.log), Counter[str]()
    first_ns = last_ns = 0
    also = () if collected is None else collected.kinds
    for entry in reader.logged():
        first_ns = first_ns or entry.t_received_ns
        last_ns = max(last_ns, entry.t_received_ns)
        counts[entry.stream] += 1
        if entry.stream == _RESPONSES and content.neurons is None:
            content.neurons, content.causality = _activity(unpack(entry.data).body)
        if not entry.stream.endswith((*kinds, *also)):
            continue
        item = Received(unpack(entry.data), entry.t_received_ns)
        if entry.stream.endswith(kinds):
            content.add(item)
            content.running += _running_scores(score, item, first_ns=first_ns)
        if collected is not None:
            collected.add(item)
    return LogSummary(dict(counts), first_ns, last_ns, reader.complete, reader.damage)


def _activity(body: Body) -> tuple[int | None, str | None]:
    """Number of neurons and causality of responses."""
    return (body.activity.size, body.causality) if isinstance(body, Responses) else (None, None)


def _running_scores(
    score: OnlineScore, item: Received, *, first_ns: int
) -> list[tuple[float, float | None]]:
    body = item.message.body
    t_ns = body.t_frame_mid_ns if isinstance(body, Reconstruction) else item.message.t_ns
    t_s = (t_ns - first_ns) / _NS_PER_S
    return [(t_s, finite(made.video_r)) for made in score.step([item])]


def finite(value: float) -> float | None:
    """None for NaN and infinity, which JSON cannot represent."""
    return value if math.isfinite(value) else None


def decoded_scans(
    calcium: CalciumConfig,
    counts: Mapping[str, int],
    *,
    lost: Mapping[str, int],
    by_plane: Mapping[int, int],
) -> dict[str, Any]:
    """Scans in the log, and those that were sent without fluorescence, also where some are lost.

    The planes of recorded scans are counted; of those that the log lacks, each plane counts for an
    equal part.
    """
    scans = [stream for stream in {*counts, *lost} if stream.endswith("/scan")]
    recorded = sum(counts.get(stream, 0) for stream in scans)
    to_decode, part = recorded, 1.0
    if calcium.planes > 1:
        to_decode = sum(by_plane.get(plane, 0) for plane in calcium.decoded_planes)
        part = len(calcium.decoded_planes) / calcium.planes
    sent = to_decode + round(part * sum(lost.get(stream, 0) for stream in scans))
    decoded = sum(found.get("decoder/fluorescence", 0) for found in (counts, lost))
    missing = sent - decoded if "decoder/start" in counts else 0
    return {
        "scans": recorded,
        "scans_to_decode": to_decode,
        "scans_not_decoded": max(0, missing),
    }
