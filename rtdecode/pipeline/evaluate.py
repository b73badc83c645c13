"""The process of the live score: displayed frames and reconstructions → scores."""

import sys
from collections.abc import Iterator, Sequence

from rtdecode.evaluate.leakage import trained_clips
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.pipeline.topology import subscriptions
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.schema.config.run import Role
from rtdecode.schema.messages import DisplayedFrame, Gap, Received, Reconstruction, Score
from rtdecode.streams.gaps import GapWatch


class ScoringStage:
    """Stage that scores reconstructions, and reports gaps in the numbering of its input."""

    def __init__(self, gaps: GapWatch, score: OnlineScore) -> None:
        self._gaps, self._score = gaps, score

    def step(self, items: Sequence[Received]) -> Iterator[Gap | Score]:
        passed: list[Received] = []
        for item in self._gaps.step(items):
            if isinstance(item, Gap):
                yield item
            else:
                passed.append(item)
        yield from self._score.step(passed)

    def counters(self) -> dict[str, float]:
        """Counters of the heartbeat."""
        return {"lost": self._gaps.n_missing, **self._score.counters()}


def main(process: Process) -> int:
    """Score until the run stops; the final score is that of the whole run."""
    config, sources = process.config, subscriptions(Role.EVALUATE, process.config)
    publisher = process.publisher(config.network.evaluate)
    subscriber = process.subscriber(sources.endpoints, [DisplayedFrame, Reconstruction])
    score = OnlineScore(
        config.evaluate,
        scoring_mask(config),
        frame_rate_hz=config.frame_rate_hz,
        trained=trained_clips(config),
    )
    stage = ScoringStage(GapWatch(detected_by=process.name), score)
    process.wait_for_start(subscriber, expected_sources=sources.expected)
    publisher.start(process.run_info.start())
    run_loop(
        subscriber,
        stage,
        publisher,
        stop=process.stop,
        clock=process.clock,
        on_turn=process.on_turn(stage.counters),
    )
    for last in score.finish():
        publisher.push(last)
    publisher.end(session=process.run_info.session, reason="stopped")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_process("evaluate", main, sys.argv[1:]))
