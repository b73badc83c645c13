"""The rig of a replay sends its trials as bridge and as stimulus, frame by frame."""

from pathlib import Path
from typing import Any

import numpy as np

from rtdecode.datasets.sensorium import SessionWriter
from rtdecode.datasets.video_session import Segment
from rtdecode.pipeline import trial_rig
from rtdecode.schema.config import RunConfig
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, End, Event, Start
from rtdecode.schema.recorded_activity import RecordedActivity

FRAMES = 12


def run(folder: Path) -> RunConfig:
    rng, writer = np.random.default_rng(0), SessionWriter(folder)
    for _ in range(2):
        video = rng.integers(0, 255, (FRAMES, 6, 8)).astype(np.float32)
        responses, behaviour = rng.random((FRAMES, 5)), rng.normal(size=(FRAMES, 4))
        writer.add(Segment(video, responses.astype(np.float32), behaviour), tier="test")
    source = {"kind": "recorded_trials", "path": folder}
    return RunConfig.model_validate({"acquisition": {"source": source}, "decode": None})


def test_all_trials_are_sent_on_the_grid_and_then_both_sources_end(
    tmp_path: Path, conducted: Any
) -> None:
    with conducted(trial_rig.main, run(tmp_path / "data"), tmp_path) as rig:
        rig.go()
        while rig.thread.is_alive():
            rig.collect(0.02)
        assert rig.end() == 0
        of_source = {source: rig.bodies(source) for source in ("bridge", "stimulus")}
    for bodies in of_source.values():
        assert isinstance(bodies[0], Start)
        assert isinstance(bodies[-1], End)
        assert bodies[-1].reason == trial_rig.END
    grid = FrameGrid(30.0)
    activity = [body for body in of_source["bridge"] if isinstance(body, RecordedActivity)]
    assert [body.trial for body in activity] == [0] * FRAMES + [1] * FRAMES
    first = activity[0].frame
    assert [body.frame for body in activity] == list(range(first, first + 2 * FRAMES))
    shown = [body for body in of_source["stimulus"] if isinstance(body, DisplayedFrame)]
    assert [grid.frame_at(body.t_flip_ns) for body in shown] == [
        *range(first, first + 2 * FRAMES + 1)
    ]
    events = [body.code for body in of_source["bridge"] if isinstance(body, Event)]
    assert events == ["as_published"]
