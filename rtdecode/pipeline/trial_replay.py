"""Replay of the trials of a recorded data set: the config of such a run, and its fast form.

A replay in real time is a run of this config with all its processes, in which
`rtdecode.pipeline.trial_rig` sends what a rig sends. As fast as possible, one process decodes the
same messages; no estimation takes time then, so that the result is that of
`rtdecode reconstruct --method online`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rtdecode.datasets.video_session import Causality
from rtdecode.offline.screen_masks import MASK_FILE
from rtdecode.pipeline.replay import Origin, StreamNumbers, record_decoded, replay_start
from rtdecode.pipeline.trial_stream import TrialStream
from rtdecode.runtime.clock import HostClock, wall_clock
from rtdecode.runtime.config_file import write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import RecordedTrialsSource
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import Body, End, Event, Received
from rtdecode.session.layout import SessionLayout
from rtdecode.session.replay import Conduct, batches_of

_FIRST_S = 1
_SOURCES = ("bridge", "stimulus")
AS_PUBLISHED = "as_published"
_AS_PUBLISHED = (
    "the activity is as published: its preprocessing used later scans, which a live system does "
    "not have, so that these scores do not hold for one"
)


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What to replay of a data set."""

    data: Path
    twin: Path
    tier: str = "test"
    trials: tuple[int, ...] | None = None
    mask: Path | None = None
    """Screen mask; None for the mask in the folder of the twin, else the whole screen."""
    source: str = "responses"
    """Activity that is decoded: `responses` or `traces`."""
    speed: float = 1.0


def trial_config(request: TrialRequest) -> RunConfig:
    """The config of a run that replays what `request` names; the errors of `TrialStream`."""
    source = RecordedTrialsSource.model_validate(
        {
            "path": request.data.resolve(),
            "tier": request.tier,
            "trials": request.trials,
            "input": request.source,
            "speed": request.speed,
        }
    )
    data = TrialStream(source).data
    twin, mask = request.twin.resolve(), request.mask
    if mask is None and (twin / MASK_FILE).is_file():
        mask = twin / MASK_FILE
    return RunConfig.model_validate(
        {
            "frame_rate_hz": data.frame_rate_hz,
            "acquisition": {"source": source},
            "stimulus": {
                "presenter": "headless",
                "clips": source.path,
                "rows_px": data.rows_px,
                "cols_px": data.cols_px,
            },
            "decode": {"twin": twin},
            "evaluate": {"screen_mask": None if mask is None else mask.resolve()},
        }
    )


def trial_source(config: RunConfig) -> RecordedTrialsSource:
    """The source of a config whose bridge sends recorded trials; TypeError for another one."""
    source = config.acquisition.source
    if not isinstance(source, RecordedTrialsSource):
        raise TypeError(f"{source.kind} has no trials")
    return source


def causality_events(causality: Causality) -> tuple[Event, ...]:
    """The event which states that activity is not causal; none where it is."""
    if causality is Causality.CAUSAL:
        return ()
    return (Event("info", "bridge", AS_PUBLISHED, _AS_PUBLISHED),)


def replay_trials(config: RunConfig, into: SessionLayout, *, conduct: Conduct) -> None:
    """Decode the trials of a config of `trial_config` as fast as possible, and record them."""
    stream, grid = TrialStream(trial_source(config)), FrameGrid(config.frame_rate_hz)
    first_frame = grid.frame_at(_FIRST_S * 1_000_000_000)
    last_ns = grid.start_ns(first_frame + stream.n_frames)
    begins = replace(wall_clock(HostClock()), t_ns=grid.start_ns(first_frame))
    # START holds the config of the session
    write_config(config, into.config)
    messages = conduct.faults.step(_messages(stream, grid, first_frame=first_frame, session=into))
    record_decoded(
        config,
        batches_of(messages, grid),
        into,
        conduct,
        span_ns=(grid.start_ns(first_frame), last_ns),
        origin=Origin(stream.data.folder.name, begins, is_data=True),
    )


def _messages(
    stream: TrialStream, grid: FrameGrid, *, first_frame: int, session: SessionLayout
) -> Iterator[Received]:
    """What a rig sends, each message received when it is sent."""
    numbers, t_ns = StreamNumbers(), grid.start_ns(first_frame)

    def received(source: str, body: Body) -> Received:
        return Received(numbers.stamped(source, body, t_ns=t_ns), t_ns)

    for source in _SOURCES:
        yield received(source, replay_start(session))
    for event in causality_events(stream.causality):
        yield received("bridge", event)
    for due in stream.messages(grid, first_frame=first_frame):
        t_ns = due.t_ns
        for source, body in due.messages:
            yield received(source, body)
    for source in _SOURCES:
        reason = "all trials were replayed"
        yield received(source, End(session.folder.name, reason, numbers.last(source)))
