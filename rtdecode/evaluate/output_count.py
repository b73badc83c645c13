"""Counts of reconstructions and lost messages, for heartbeats, page and summary."""

from collections import defaultdict

from rtdecode.schema.messages import Gap, Received, Reconstruction

_NS_PER_S = 1e9


class OutputCount:
    """Number, rate and lateness of reconstructions, and messages lost by stream."""

    def __init__(self) -> None:
        self._n = self._late = 0
        self._first_ns = self._last_ns = 0
        self._missing: defaultdict[tuple[str, str], int] = defaultdict(int)

    def count(self, item: Received) -> None:
        """Count a reconstruction or a gap; other messages are ignored."""
        body = item.message.body
        if isinstance(body, Reconstruction):
            self._first_ns = self._first_ns if self._n else body.t_ready_ns
            self._last_ns = body.t_ready_ns
            self._n += 1
            self._late += body.late
        elif isinstance(body, Gap):
            self._missing[body.stream, body.detected_by] += body.n_missing

    def counters(self) -> dict[str, float]:
        """Totals since the start of the run."""
        span_s = (self._last_ns - self._first_ns) / _NS_PER_S
        return {
            "frames": float(self._n),
            "fps_out": (self._n - 1) / span_s if span_s > 0 else 0.0,
            "late": float(self._late),
            "late_percent": 100 * self._late / self._n if self._n else 0.0,
            "lost_messages": float(sum(self.lost_by_stream.values())),
        }

    @property
    def lost_by_stream(self) -> dict[str, int]:
        """Messages lost in each stream.

        Several processes may report the same gap, so the largest report of each stream counts.
        """
        largest: defaultdict[str, int] = defaultdict(int)
        for (stream, _), missing in self._missing.items():
            largest[stream] = max(largest[stream], missing)
        return dict(largest)
