"""The process of the live score and of the twin check, both against the displayed frames.

Displayed frames and reconstructions → scores; displayed frames, behaviour and responses → twin
checks. Displayed frames are received here and on the page, never by the decoder.
"""

import logging
import sys
from collections.abc import Iterator, Sequence

from rtdecode.decode.compute import prepare_process
from rtdecode.evaluate.online import OnlineScore, online_score
from rtdecode.evaluate.twin_check import TwinCheck
from rtdecode.offline.twin_check import ResponsePredictor, response_predictor, twin_check
from rtdecode.pipeline.topology import subscriptions
from rtdecode.runtime.entry import run_process
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.process import Process
from rtdecode.runtime.publisher import Publisher
from rtdecode.schema.config.roles import Role
from rtdecode.schema.evaluation import ResponsePrediction
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    DisplayedFrame,
    Event,
    Gap,
    Received,
    Reconstruction,
    Responses,
    Score,
)
from rtdecode.streams.gaps import GapWatch

log = logging.getLogger(__name__)
_COMPARED: tuple[type[Body], ...] = (DisplayedFrame, Reconstruction, Responses, Behaviour)
_THREADS = 1
"""The twin is evaluated beside the decoder, on the same processor cores."""


class ScoringStage:
    """Stage that scores reconstructions, checks the twin, and reports gaps in its input."""

    def __init__(self, gaps: GapWatch, score: OnlineScore, twin: TwinCheck | None = None) -> None:
        self._gaps, self._score, self._twin = gaps, score, twin

    def step(self, items: Sequence[Received]) -> Iterator[Gap | Score | ResponsePrediction | Event]:
        passed: list[Received] = []
        for item in self._gaps.step(items):
            if isinstance(item, Gap):
                yield item
            else:
                passed.append(item)
        yield from self._score.step(passed)
        if self._twin is not None:
            yield from self._twin.step(passed)

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        return {"lost": self._gaps.n_missing, **self._score.counters()}


class EvaluationSink:
    """Sink that writes events to the log of the process too."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def push(self, item: Body) -> None:
        if isinstance(item, Event):
            level = logging.INFO if item.severity == "info" else logging.WARNING
            log.log(level, "%s", item.text)
        self._publisher.push(item)


def main(process: Process) -> int:
    """Score until the run stops; the final score is that of the whole run."""
    config, sources = process.config, subscriptions(Role.EVALUATE, process.config)
    publisher = process.publisher(config.network.evaluate)
    subscriber = process.subscriber(sources.endpoints, _COMPARED)
    score = online_score(config)
    prepare_process(threads=_THREADS)
    predictor = response_predictor(config)
    twin = None if predictor is None else _twin_check(predictor, process)
    stage = ScoringStage(GapWatch(detected_by=process.name), score, twin)
    process.wait_for_start(subscriber, expected_sources=sources.expected)
    publisher.start(process.run_info.start())
    sink = EvaluationSink(publisher)
    for event in _without_reference(predictor):
        sink.push(event)
    run_loop(
        subscriber,
        stage,
        sink,
        stop=process.stop,
        clock=process.clock,
        on_turn=process.on_turn(stage.counters),
    )
    for last in score.finish():
        publisher.push(last)
    publisher.end(session=process.run_info.session, reason="stopped")
    return 0


def _twin_check(predictor: ResponsePredictor, process: Process) -> TwinCheck:
    every = predictor.every(process.clock)
    return twin_check(predictor, frame_rate_hz=process.config.frame_rate_hz, every=every)


def _without_reference(predictor: ResponsePredictor | None) -> Iterator[Event]:
    """The event that states that the twin has no correlation of its training."""
    if predictor is None or predictor.reference.training_r is not None:
        return
    text = (
        "the twin has no record of its single-trial correlation at training (training.json), so "
        "the twin check compares with the expectation of its noise model; `rtdecode fit twin` "
        "writes the record"
    )
    yield Event("info", process="evaluate", code="twin_check_without_training_r", text=text)


if __name__ == "__main__":
    raise SystemExit(run_process("evaluate", main, sys.argv[1:]))
