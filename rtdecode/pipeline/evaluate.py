"""The scorer's process: truth and reconstructions in, scores out."""

import sys
from collections.abc import Iterator, Sequence

from rtdecode.evaluate.leakage import trained_clips
from rtdecode.evaluate.online import OnlineScore
from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.runtime.loop import run_loop
from rtdecode.runtime.process import Process, run_process
from rtdecode.schema.messages import DisplayedFrame, Gap, Received, Reconstruction, Score
from rtdecode.streams.gaps import GapWatch


class ScoringStage:
    """Stage that scores what passed the gap watch, and hands the gaps on."""

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
        """What the heartbeat tells."""
        return {"lost": self._gaps.n_missing, **self._score.counters()}


def main(process: Process) -> int:
    """Score until told to stop; the last score is over the whole run."""
    network, config = process.config.network, process.config
    publisher = process.publisher(network.evaluate)
    inlet = process.subscriber([network.stimulus, network.emit], [DisplayedFrame, Reconstruction])
    score = OnlineScore(
        config.evaluate,
        scoring_mask(config),
        frame_rate_hz=config.emit.frame_rate_hz,
        trained=trained_clips(config),
    )
    stage = ScoringStage(GapWatch(detected_by=process.name), score)
    process.wait_for_start(inlet, expected_sources=["stimulus", "emit"])
    publisher.start(process.run_info.start())
    run_loop(
        inlet,
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
