"""A replay of a data set decodes what `rtdecode reconstruct --method online` decodes."""

import json
import shutil
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from simple_mice import Holed

from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.sensorium import SensoriumFolder, SessionWriter
from rtdecode.datasets.video_session import Causality, Segment
from rtdecode.decode.noise import even_noise, save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.evaluate.leakage import clip_hash
from rtdecode.offline.job import Request
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.pipeline.replay import replay_session
from rtdecode.pipeline.trial_replay import TrialRequest, replay_trials, trial_config
from rtdecode.report.summary import summarise
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.errors import NoSuchTierError, UnreadableFileError
from rtdecode.schema.messages import DisplayedFrame, Reconstruction, Responses
from rtdecode.session.injected_faults import InjectedFaults
from rtdecode.session.layout import SessionLayout, named_session
from rtdecode.session.reader import LogReader
from rtdecode.session.replay import Conduct
from rtdecode.twins.folder import save_twin
from rtdecode.twins.linear import Linear
from rtdecode.twins.twin import TwinSpec

LENGTHS = (94, 52, 99, 91)
"""Frames of the test trials: none is as long as another, and one has few scored frames."""
ROWS, COLS, NEURONS = 6, 8, 9


def written(folder: Path, lengths: tuple[int, ...] = LENGTHS, *, tier: str = "test") -> Path:
    """A data set of pictures that walk at random; one neuron is stuck from the second trial on."""
    rng, writer = np.random.default_rng(4), SessionWriter(folder)
    for place, frames in enumerate(lengths):
        walk = 128 + np.cumsum(rng.normal(0, 9, (frames, ROWS, COLS)), 0)
        activity = rng.gamma(2, 2, (frames, NEURONS)).astype(np.float32)
        if place:
            activity[20:, 3] = 7.0
        behaviour = rng.normal(size=(frames, 4)).astype(np.float32)
        video = np.clip(np.rint(walk), 0, 255).astype(np.float32)
        writer.add(Segment(video, activity, behaviour), tier=tier)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("data") / "mouse")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear twin that was trained on the last trial."""
    folder = tmp_path_factory.mktemp("twin")
    spec = TwinSpec("linear", NEURONS, ROWS, COLS, sizes={"taps": 2})
    made, rng = Linear(spec), np.random.default_rng(1)
    made.temporal.data = torch.tensor([[0.4, 0.6]])
    made.spatial.data = torch.from_numpy(rng.normal(0, 0.1, (NEURONS, ROWS, COLS))).float()
    save_twin(made, folder)
    save_prior(fit_prior([128 + np.cumsum(rng.normal(0, 9, (80, ROWS, COLS)), 0)]), folder)
    save_noise(even_noise(NEURONS), folder)
    return folder


@pytest.fixture(scope="module")
def session(data: Path, twin: Path, tmp_path_factory: pytest.TempPathFactory) -> SessionLayout:
    """The replay of all trials."""
    return replayed(data, twin, tmp_path_factory.mktemp("replays") / "session")


def replayed(
    data: Path, twin: Path, into: Path, conduct: Conduct | None = None, **asked: Any
) -> SessionLayout:
    session = named_session(into)
    config = trial_config(TrialRequest(data, twin, **asked))
    assert config.decode is not None
    one_step = config.decode.model_copy(update={"steps": 1})
    config = config.model_copy(update={"decode": one_step})
    replay_trials(config, session, conduct=conduct or Conduct())
    return session


def offline(data: Path, twin: Path, out: Path, *, tier: str = "test") -> dict[str, Any]:
    request = Request(
        data=data, out=out, method="online", tier=tier, twins=(twin,), ridge=None, lag_frames=8,
        steps=1, iterations=None, mask=None, source="responses",
    )  # fmt: skip
    return reconstruct(request, clock=HostClock(), report=lambda *_: None)


def bodies(session: SessionLayout, kind: type[Any]) -> list[Any]:
    found = (item.message.body for item in LogReader(session.log).messages())
    return [body for body in found if isinstance(body, kind)]


def videos(session: SessionLayout) -> dict[str, np.ndarray]:
    """The decoded video of each trial, NaN where there is none, by frames displayed alike."""
    shown = {body.t_flip_ns: body for body in bodies(session, DisplayedFrame)}
    decoded = {body.frame: body.luminance for body in bodies(session, Reconstruction)}
    first = min(bodies(session, Responses), key=lambda one: one.frame)
    start = first.frame - shown[first.t_frame_start_ns].index
    found: dict[str, list[np.ndarray]] = {}
    for place, body in enumerate(shown[t_ns] for t_ns in sorted(shown)):
        empty = np.full((ROWS, COLS), np.nan, np.float32)
        found.setdefault(body.clip, []).append(decoded.get(start + place, empty))
    return {clip: np.stack(frames) for clip, frames in found.items() if clip != "grey"}


def test_trials_are_decoded_bit_for_bit_and_scored_as_reconstruct_does(
    data: Path, twin: Path, session: SessionLayout, tmp_path: Path
) -> None:
    summary = offline(data, twin, tmp_path / "out")
    found = videos(session)
    assert [len(video) for video in found.values()] == list(LENGTHS)
    for number, video in enumerate(found.values()):
        np.testing.assert_array_equal(video, np.load(tmp_path / "out" / f"{number}.npy"))
    scored = summarise(session)
    for name in ("video_r", "frame_r", "ssim", "shift_ms"):
        assert getattr(scored, name) == pytest.approx(summary[name]["mean"], abs=1e-12)


def test_missing_neurons_and_frames_are_those_of_reconstruct(
    twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(tmp_path / "data", (48, 44))
    for module in ("rtdecode.pipeline.trial_stream", "rtdecode.offline.reconstruct"):
        monkeypatch.setattr(f"{module}.open_video_session", Holed)
    offline(data, twin, tmp_path / "out")
    found = videos(replayed(data, twin, tmp_path / "live")).values()
    for number, video in enumerate(found):
        np.testing.assert_array_equal(video, np.load(tmp_path / "out" / f"{number}.npy"))


def test_activity_is_marked_as_published_in_log_and_summary(session: SessionLayout) -> None:
    assert {body.causality for body in bodies(session, Responses)} == {"as published"}
    assert "the activity is as published" in summarise(session).text()


def test_the_ends_of_trials_are_stated_and_are_no_loss(session: SessionLayout) -> None:
    summary = summarise(session)
    (ended,) = (event for event in summary.events if event.code == "trial_ended")
    assert ended.counts == {"frames": 8.0 * (len(LENGTHS) - 1)}
    assert (summary.frames_not_decoded, summary.lost_messages, summary.missed) == (0, 0, {})
    assert summary.complete
    assert summary.without_end == []


def test_the_session_is_read_and_replayed_as_any_other(
    session: SessionLayout, tmp_path: Path
) -> None:
    own = OwnSession(session.folder)
    assert own.causality is Causality.AS_PUBLISHED
    assert sum(len(own.trials(tier)) for tier in own.tier_names) == 3
    again = named_session(tmp_path / "again")
    replay_session(session, again)
    for before, after in zip(videos(session).values(), videos(again).values(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert summarise(again).video_r == summarise(session).video_r


def test_trials_are_named_by_number_in_the_given_order_and_training_clips_flagged(
    data: Path, twin: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "twin"
    shutil.copytree(twin, trained)
    described = json.loads((trained / "twin.json").read_text())
    described["training_clips"] = [clip_hash(SensoriumFolder(data).video(3))]
    (trained / "twin.json").write_text(json.dumps(described))
    session = replayed(data, trained, tmp_path / "live", trials=(3, 1))
    assert list(videos(session)) == ["trial 3", "trial 1"]
    assert read_config(session.config).acquisition.source.trials == (3, 1)
    assert summarise(session).leaked_clips == ["trial 3"]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"trials": (2, 9)}, UnreadableFileError, "expected the trials 9, got 4 trials from 0"),
        ({"tier": "train"}, NoSuchTierError, "its tiers are test"),
    ],
)
def test_trials_that_are_not_there_are_refused(
    data: Path, tmp_path: Path, asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        trial_config(TrialRequest(data, tmp_path, **asked))


def test_a_session_of_rtdecode_is_no_data_set(session: SessionLayout, twin: Path) -> None:
    with pytest.raises(UnreadableFileError, match="got a session of rtdecode"):
        trial_config(TrialRequest(session.folder, twin))


def test_lost_activity_is_what_the_summary_reports(data: Path, twin: Path, tmp_path: Path) -> None:
    faults = InjectedFaults(drop=0.2, seed=3)
    session = replayed(data, twin, tmp_path / "live", Conduct(faults=faults), trials=(1,))
    assert faults.dropped["bridge/recorded_activity"] > 5
    summary = summarise(session)
    assert summary.lost_by_stream == faults.dropped
    (stated,) = (event for event in summary.events if event.code == "faults_injected")
    lost = faults.dropped["bridge/recorded_activity"]
    assert stated.counts == {"lost bridge/recorded_activity": lost}


def test_a_stop_keeps_what_was_replayed(data: Path, twin: Path, tmp_path: Path) -> None:
    stop, seen = Event(), []

    def report(done_s: float, all_s: float) -> None:
        seen.append((done_s, all_s))
        if done_s > 1:
            stop.set()

    session = replayed(data, twin, tmp_path / "live", Conduct(stop=stop, report=report))
    done_s, all_s = seen[-1]
    assert all_s == pytest.approx(sum(LENGTHS) / 30)
    assert 1 < done_s < 1.1
    summary = summarise(session)
    assert summary.complete
    assert summary.frames_out == round(30 * done_s) - 8
