"""The twin check of a session in its summary: figures, sentence and curve over time.

The results are those that `evaluate` recorded. `rtdecode score` and `rtdecode replay` compute them
again from displayed frames, behaviour and responses, with the twin that the session was decoded
with; both agree unless the live check left out seconds (`every` above 1) or was restarted.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rtdecode.evaluate.twin_check import SEGMENT_S
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import BadInputError
from rtdecode.schema.evaluation import ResponsePrediction, Verdict
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Event, Received, Start
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

log = logging.getLogger(__name__)
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class TwinCheckFigures:
    """Agreement of recorded responses with those that the twin predicts from displayed frames."""

    r: float
    """Single-trial r, mean over neurons and over all windows with a verdict."""
    reference_r: float
    """The same at the training of the twin, or as its noise model expects it."""
    at_training: bool
    """Whether `reference_r` was measured at the training."""
    n_neurons: int
    window_s: float
    mismatch_s: float
    """Seconds in which r was below half of the reference."""
    r_over_time: Sequence[tuple[float, float | None]]
    """Seconds since the first message, r of the last `window_s`; None without a verdict."""

    def sentence(self) -> str:
        """State the figures in words."""
        against = "at training" if self.at_training else "expected by its noise model"
        stated = (
            "The twin predicts the recorded responses from the displayed frames with a "
            f"single-trial r of {self.r:.2f} ({self.reference_r:.2f} {against}), mean over "
            f"{self.n_neurons:,} neurons"
        )
        if not self.mismatch_s:
            return f"{stated}."
        return f"{stated}; r was below half of that for {self.mismatch_s:.0f} s."


def twin_check_figures(
    results: Sequence[ResponsePrediction], grid: FrameGrid, *, first_ns: int
) -> TwinCheckFigures | None:
    """Sum up `results` in the order of their frames; None where there is no verdict.

    Parameters
    ----------
    grid
        The frame grid of the session.
    first_ns
        The zero of `r_over_time`.
    """
    judged = [one for one in results if Verdict(one.verdict).is_given]
    if not judged:
        return None
    at_training = all(math.isfinite(one.r_training) for one in judged)
    against = [one.r_training if at_training else one.r_expected for one in judged]
    below = (one for one in judged if one.verdict == Verdict.MISMATCH)
    return TwinCheckFigures(
        r=sum(one.r for one in judged) / len(judged),
        reference_r=sum(against) / len(judged),
        at_training=at_training,
        n_neurons=judged[-1].n_neurons,
        window_s=judged[-1].window_s,
        mismatch_s=sum(one.every * SEGMENT_S for one in below),
        r_over_time=[
            (
                (grid.middle_ns(one.frame) - first_ns) / _NS_PER_S,
                one.r if Verdict(one.verdict).is_given else None,
            )
            for one in results
        ],
    )


class TwinCheckSource(Protocol):
    """Gives the results of a twin check from the messages of a log."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the messages that it needs."""
        ...

    def step(self, items: Sequence[Received]) -> Iterable[ResponsePrediction | Event]: ...


class RecordedTwinCheck:
    """The results that are in the log."""

    kinds = (ResponsePrediction.kind,)

    def step(self, items: Sequence[Received]) -> Iterator[ResponsePrediction | Event]:
        for item in items:
            if isinstance(item.message.body, ResponsePrediction):
                yield item.message.body


def computed_twin_check(session: SessionLayout) -> TwinCheckSource:
    """The check of the session's responses with the twin that it was decoded with.

    Where that twin is not on this machine, or was fitted again since, the recorded results are
    taken.
    """
    # torch takes seconds to import, and most summaries do without
    from rtdecode.offline.twin_check import response_predictor, twin_check

    config = read_config(session.config)
    try:
        predictor = response_predictor(config) if _has_its_twin(session, config) else None
    except BadInputError as error:
        log.warning("the recorded results of the twin check are taken: %s", error)
        predictor = None
    if predictor is None:
        return RecordedTwinCheck()
    return twin_check(predictor, frame_rate_hz=config.frame_rate_hz)


def _has_its_twin(session: SessionLayout, config: RunConfig) -> bool:
    """Whether the configured twin is the one of the log; a replay does not record its hash."""
    from rtdecode.twins.record import twin_hash

    if config.decode is None or not config.decode.twin_folders:
        return False
    starts = LogReader(session.log).messages(lambda stream: stream == "decoder/start")
    body = next((item.message.body for item in starts), None)
    recorded = body.twin_hash if isinstance(body, Start) else ""
    return not recorded or recorded == twin_hash(*config.decode.twin_folders)
