"""The movie of a protocol: trials, parameters, waits, intervals, named clips, the trial log."""

import json
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from rtdecode.pipeline.timetable import checked_protocol, timed_trials
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.control import Trial
from rtdecode.schema.errors import (
    ClipError,
    ConfigError,
    ParameterValueError,
    UnknownClipError,
    UnknownParameterError,
)
from stimulus.display_log import DisplayLog
from stimulus.pacing import DeadlinePacing
from stimulus.playback import GREY_CLIP, CommandState, Player
from stimulus.playlist import DisplayedTrial, MovieFrame
from stimulus.protocol.clip_library import ClipLibrary
from stimulus.protocol.protocol_movie import ProtocolMovie, protocol_movie
from stimulus.protocol.trial_log import TrialLog
from stimulus.screen import HeadlessScreen

RATE_HZ = 30.0
GRATING = {"kind": "drifting_grating", "spatial_cpd": 0.05, "temporal_hz": 2, "duration_s": 0.2}
BLANK = {"kind": "blank", "grey": 10, "duration_s": 0.1}


def movie_of(folder: Path, *blocks: dict[str, Any], **stimulus: Any) -> ProtocolMovie:
    (folder / "protocol.yaml").write_text(json.dumps({"blocks": blocks}))
    config = StimulusConfig(
        protocol=folder / "protocol.yaml",
        monitor={"distance_cm": 15, "width_cm": 48},
        **{"embedded_clips": 2, "clip_s": 0.1} | stimulus,
    )
    movie = protocol_movie(config, frame_rate_hz=RATE_HZ)
    assert movie is not None
    return movie


def test_a_run_without_a_protocol_has_no_protocol_movie() -> None:
    assert protocol_movie(StimulusConfig(), frame_rate_hz=RATE_HZ) is None


def test_trials_waits_and_intervals_follow_each_other(tmp_path: Path) -> None:
    movie = movie_of(
        tmp_path,
        {"name": "grey", "stimuli": [BLANK], "repeats": 2, "interval_s": 0.1},
        {"stimuli": [GRATING], "wait_for_trigger": True},
    )
    frames = list(movie.movie_frames())
    shown = [(key, len(list(group))) for key, group in groupby((f.clip, f.trial) for f in frames)]
    assert shown == [
        (("blank grey=10", 0), 3),
        (("interval", -1), 3),
        (("blank grey=10", 1), 3),
        (("interval", -1), 3),
        (("wait", -1), 1),
        (("drifting_grating spatial_cpd=0.05 temporal_hz=2", 2), 6),
    ]
    assert [frame.clip for frame in frames if frame.waits] == ["wait"]
    assert [frame.place for frame in frames] == [0] * 6 + [1] * 7 + [2] * 6
    assert {int(frame.luminance.mean()) for frame in frames if frame.trial == -1} == {128}


def test_a_restarted_movie_begins_with_its_trial(tmp_path: Path) -> None:
    movie = movie_of(tmp_path, {"stimuli": [BLANK, GRATING], "repeats": 2})
    whole, rest = list(movie.movie_frames()), list(movie.movie_frames(first=2))
    assert [frame.trial for frame in rest] == [f.trial for f in whole if f.trial >= 2]
    later = [frame for frame in whole if frame.trial >= 2]
    for one, other in zip(later, rest, strict=True):
        np.testing.assert_array_equal(one.luminance, other.luminance)


def test_a_wait_that_was_interrupted_is_repeated(tmp_path: Path) -> None:
    movie = movie_of(tmp_path, {"stimuli": [BLANK], "wait_for_trigger": True})
    wait, first = list(movie.movie_frames())[:2]
    assert wait.waits
    # a restarted stimulus begins after the place that it has kept
    assert next(movie.movie_frames(first=wait.place + 1)).waits
    assert list(movie.movie_frames(first=first.place + 1)) == []


def test_parameters_change_from_the_next_trial_on(tmp_path: Path) -> None:
    movie = movie_of(tmp_path, {"stimuli": [BLANK, GRATING], "repeats": 2})
    overrides: dict[str, float] = {}
    contrasts = []
    for frame in movie.movie_frames(lambda: dict(overrides)):
        contrasts.append((frame.trial, int(frame.luminance.max()) - int(frame.luminance.min())))
        if frame.trial == 1 and frame.index == 2:
            overrides["contrast"] = 0.4
    ranges = {trial: {spread for one, spread in contrasts if one == trial} for trial in range(4)}
    assert min(ranges[1]) > 200
    assert max(ranges[3]) <= 102
    assert ranges[0] == ranges[2] == {0}
    changed = next(f for f in movie.movie_frames(lambda: {"contrast": 0.4}) if f.trial == 3)
    assert changed.of_trial is not None
    assert changed.clip == "drifting_grating spatial_cpd=0.05 contrast=0.4 temporal_hz=2"
    assert changed.of_trial.stimulus == "drifting_grating"
    assert changed.of_trial.parameters["contrast"] == 0.4


def test_parameters_are_refused_by_name_or_value(tmp_path: Path) -> None:
    movie = movie_of(tmp_path, {"stimuli": [BLANK, GRATING]})
    movie.require_parameter("contrast", 0.4)
    movie.require_parameter("grey", 255)
    with pytest.raises(UnknownParameterError, match="unknown parameter 'hue': expected one of alt"):
        movie.require_parameter("hue", 1)
    with pytest.raises(ParameterValueError, match="contrast cannot be set to 2: Input should be"):
        movie.require_parameter("contrast", 2)
    with pytest.raises(ParameterValueError, match="temporal_hz is 20, but a movie of 30 Hz"):
        movie.require_parameter("temporal_hz", 20)


def test_frames_of_a_trial_are_the_same_at_every_call(tmp_path: Path) -> None:
    noise = {"kind": "gaussian_noise", "spatial_scale_deg": 8, "temporal_scale_s": 0.1}
    movie = movie_of(tmp_path, {"stimuli": [noise | {"duration_s": 0.2}], "repeats": 2})
    first, second = movie.trials()
    frames = [np.stack(list(movie.frames(one, {}))) for one in (first, first, second)]
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()


def test_movies_and_stills_come_from_files_and_embedded_clips(
    tmp_path: Path, video: Path, blocks: NDArray[np.uint8]
) -> None:
    with av.open(str(tmp_path / "ramp.png"), "w", format="image2") as file:
        stream = file.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 256, 144, "gray"
        ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (144, 256))
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp), format="gray")
        file.mux(stream.encode(picture))
        file.mux(stream.encode())
    movie = movie_of(
        tmp_path,
        {
            "stimuli": [
                {"kind": "movie", "file": str(video.relative_to(tmp_path)), "repeats": 2},
                {"kind": "still", "file": "ramp.png", "duration_s": 0.1},
                {"kind": "movie", "embedded": 1},
                {"kind": "still", "embedded": 0, "duration_s": 0.1, "name": "first"},
            ]
        },
    )
    frames = [np.stack(list(movie.frames(trial, {}))) for trial in movie.trials()]
    assert [len(one) for one in frames] == [40, 40, 3, 3, 3]
    assert np.abs(frames[0].astype(int) - blocks).mean() < 3
    np.testing.assert_array_equal(frames[0], frames[1])
    # the mean of four columns of the ramp
    np.testing.assert_allclose(frames[2][0, 0], np.arange(64) * 4 + 1.5, atol=1)
    np.testing.assert_array_equal(frames[3], movie.clip_frames("embedded-1"))
    np.testing.assert_array_equal(frames[4][2], movie.clip_frames("embedded-0")[0])
    np.testing.assert_array_equal(movie.clip_frames("film.mp4"), frames[0])
    assert movie.clip_frames("film.mp4") is movie.clip_frames("film.mp4")
    # shown by a command, a still lasts as long as in its trial
    np.testing.assert_array_equal(movie.clip_frames("ramp.png"), frames[2])
    assert movie.clips.names == ["film.mp4", "ramp.png", "embedded-0", "embedded-1"]


def test_an_unknown_clip_is_refused_with_the_names(tmp_path: Path) -> None:
    clips = ClipLibrary(StimulusConfig(embedded_clips=2, clip_s=0.1), None, frame_rate_hz=RATE_HZ)
    with pytest.raises(UnknownClipError, match="'snow': expected one of embedded-0, embedded-1"):
        clips.frames("snow")
    clips.load()
    by_name = clips.frames(clips.embedded[1].name)
    np.testing.assert_array_equal(by_name, clips.frames("embedded-1"))


def test_clips_of_a_folder_are_found_by_file_name(video: Path) -> None:
    config = StimulusConfig(clips=video.parent, rows_px=18, cols_px=32)
    clips = ClipLibrary(config, None, frame_rate_hz=RATE_HZ)
    assert clips.names == ["film.mp4"]
    assert clips.frames("film.mp4").shape == (40, 18, 32)
    assert clips.embedded == ()


def test_a_file_without_a_picture_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    with pytest.raises(ClipError, match=r"no\.mp4 cannot be shown"):
        movie_of(tmp_path, {"stimuli": [{"kind": "movie", "file": "no.mp4"}]})
    with pytest.raises(ConfigError, match=r"none\.mp4 does not exist"):
        movie_of(tmp_path, {"stimuli": [{"kind": "movie", "file": "none.mp4"}]})


def test_each_trial_is_logged_with_the_flips_of_its_frames(
    tmp_path: Path, clock: Any, shelf: Any
) -> None:
    movie = movie_of(
        tmp_path, {"name": "b", "stimuli": [BLANK, GRATING], "repeats": 2, "interval_s": 0.1}
    )
    log = TrialLog(light_delay_ms=4.0, frame_rate_hz=RATE_HZ, pause_clip=GREY_CLIP)
    trials: list[Trial] = []

    def on_flip(_number: int, frame: MovieFrame, t_flip_ns: int) -> None:
        if (over := log.flipped(frame, t_flip_ns)) is not None:
            trials.append(over)

    screen = HeadlessScreen(clock)
    player = Player(
        screen,
        DeadlinePacing(screen, clock=clock, frame_rate_hz=RATE_HZ),
        DisplayLog(light_delay_ms=4.0, refresh_hz=RATE_HZ),
        shelf,
        CommandState(Event()),
        on_flip=on_flip,
    )
    player.play(movie.movie_frames(), between_frames=lambda: None)
    assert log.ended() is None
    displayed = shelf.shown()
    first = [n for n, frame in enumerate(displayed) if frame.index == 0 and frame.clip[:3] != "int"]
    after = [n for n, frame in enumerate(displayed) if frame.index == 0 and frame.clip[:3] == "int"]
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert [trial.t_start_ns for trial in trials] == [displayed[n].t_flip_ns for n in first]
    assert [trial.t_end_ns for trial in trials] == [displayed[n].t_flip_ns for n in after]
    assert [trial.n_frames for trial in trials] == [3, 6, 3, 6]
    assert [trial.stimulus for trial in trials] == ["blank", "drifting_grating"] * 2
    assert trials[1].parameters["spatial_cpd"] == 0.05
    assert {(trial.block, trial.cause) for trial in trials} == {("b", -1)}


def test_the_example_of_the_project_is_displayed_as_its_timetable_states(
    clock: Any, shelf: Any
) -> None:
    config = read_config(Path(__file__).resolve().parents[3] / "configs" / "gratings.yaml")
    found = checked_protocol(config)
    movie = protocol_movie(config.stimulus, frame_rate_hz=RATE_HZ)
    assert found is not None
    assert movie is not None
    screen = HeadlessScreen(clock)
    player = Player(
        screen,
        DeadlinePacing(screen, clock=clock, frame_rate_hz=RATE_HZ),
        DisplayLog(light_delay_ms=0.0, refresh_hz=RATE_HZ),
        shelf,
        CommandState(Event()),
    )
    assert player.play(movie.movie_frames(), between_frames=lambda: None) == "the movie is over"
    displayed = shelf.shown()
    timed = list(timed_trials(*found, frame_rate_hz=RATE_HZ, clip_s=config.stimulus.clip_s))
    assert len(displayed) == 105 * 30
    first_ns = displayed[0].t_flip_ns
    for one in timed:
        frame = displayed[round(one.start_s * RATE_HZ)]
        assert (frame.clip, frame.index) == (one.trial.clip(), 0)
        assert (frame.t_flip_ns - first_ns) / 1e9 == pytest.approx(one.start_s, abs=1e-6)


def test_a_pause_neither_ends_a_trial_nor_counts_and_a_stop_ends_it() -> None:
    log = TrialLog(light_delay_ms=0.0, frame_rate_hz=10.0, pause_clip=GREY_CLIP)
    grey = np.zeros((1, 1), np.uint8)
    shown = DisplayedTrial(7, "b", "s", {}, cause=3)
    assert log.flipped(MovieFrame("s", 0, grey, 7, shown), 100) is None
    assert log.flipped(MovieFrame(GREY_CLIP, 9, grey, 7), 200) is None
    assert log.flipped(MovieFrame("s", 1, grey, 7, shown), 300) is None
    over = log.ended()
    assert over is not None
    assert (over.number, over.n_frames, over.cause) == (7, 2, 3)
    assert (over.t_start_ns, over.t_end_ns) == (100, 100_000_300)
    assert log.ended() is None
