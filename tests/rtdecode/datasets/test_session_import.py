"""Traces of suite2p and a stimulus log become a session with each value at its time."""

from pathlib import Path

import numpy as np
import pytest
from suite2p_recording import (
    CLIP_S,
    CLIPS,
    LATE_S,
    SCAN_HZ,
    SPIKE_S,
    Recorded,
    clip,
    onset_s,
    write_plane,
    write_rows,
)

from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.session_import import (
    ImportedRecording,
    import_session,
    read_behaviour,
)
from rtdecode.datasets.stimulus_log import displayed_images, read_stimulus_log
from rtdecode.datasets.suite2p_traces import read_suite2p_traces
from rtdecode.report.summary import summarise
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import (
    BadInputError,
    MissingFileError,
    MissingOptionError,
    NonFiniteError,
    TooShortError,
    UnreadableFileError,
)
from rtdecode.session.layout import session_at


def imported(recorded: Recorded) -> Path:
    shown = read_stimulus_log(recorded.log, clips=recorded.movies)
    recording = ImportedRecording(
        read_suite2p_traces(recorded.plane, scan_times=recorded.scan_times),
        lambda: displayed_images(shown, clips=recorded.movies, rate_hz=30.0),
        read_behaviour(recorded.behaviour),
    )
    out = recorded.folder / "imported"
    config = CalciumConfig(calibration_s=8.0, rise_tau_s=0.0)
    import_session(recording, out, calcium=config, report=lambda _: None)
    return out


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def session(recorded: Recorded) -> Path:
    return imported(recorded)


def test_each_presentation_is_a_trial_with_its_video(session: Path) -> None:
    data = OwnSession(session)
    assert data.neurons == 2
    trials = sorted(n for tier in ("train", "oracle", "test") for n in data.trials(tier))
    assert trials == list(range(CLIPS))
    for number in trials:
        video = data.video(number)
        # an onset between two frames of the grid shifts the video by less than a frame
        assert abs(len(video) - round(30 * CLIP_S)) <= 1
        np.testing.assert_array_equal(video[:100], clip(number)[:100])


def test_activity_is_where_the_transient_is_and_not_before(session: Path) -> None:
    data = OwnSession(session)
    for number in range(CLIPS):
        activity = data.segment(number).responses[:, 0]
        frame = round(30 * SPIKE_S)
        around = slice(frame - 5, frame + 9)  # a scan lasts three frames
        assert np.isfinite(activity).all()
        assert activity[around].sum() > 0.8 * activity[:90].sum()
        assert activity[: frame - 5].max() < 0.2 * activity[around].max()


def test_behaviour_has_the_time_of_the_recording(session: Path) -> None:
    running = OwnSession(session).segment(0).behaviour[:, 0]
    expected = onset_s(0) - LATE_S + np.arange(len(running)) / 30
    np.testing.assert_allclose(running, expected, atol=0.04)


def test_the_summary_finds_a_complete_session_without_losses(session: Path) -> None:
    summary = summarise(session_at(session))
    assert summary.complete
    assert summary.lost_messages == 0
    assert (session / "calibration.npz").is_file()


def test_too_short_a_recording_is_refused(recorded: Recorded) -> None:
    recording = ImportedRecording(read_suite2p_traces(recorded.plane), lambda: ())
    out, calcium = recorded.folder / "short", CalciumConfig(calibration_s=60.0)
    with pytest.raises(TooShortError, match="has 450 frames, at least 601"):
        import_session(recording, out, calcium=calcium, report=lambda _: None)
    assert not out.exists()


def test_the_rate_is_that_of_ops_where_no_times_are_given(
    recorded: Recorded, tmp_path: Path
) -> None:
    traces = read_suite2p_traces(recorded.plane)
    assert traces.scan_rate_hz == pytest.approx(SCAN_HZ)
    assert traces.t_s[0] == pytest.approx(0.05)
    assert traces.f_neuropil.max() == 10
    plane = write_plane(tmp_path / "plane", np.ones((2, 5)), is_cell=[True, True], rate_hz=0)
    with pytest.raises(MissingOptionError, match="--scan-times or --scan-rate-hz"):
        read_suite2p_traces(plane)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("t_s\n1\n", "no column clip"),
        ("t_s,clip\n", "no rows"),
        ("t_s,clip\n1,clip0.mkv\n0.5,clip1.mkv\n", "0.5 after 1 in line 3"),
        ("t_s,clip\nsoon,clip0.mkv\n", "'soon' in line 2"),
        ("t_s,clip\n1,other.mkv\n", "'other.mkv' in line 2"),
        ("t_s,clip\n1\n", "1 values for 2 columns in line 2"),
        ("t_s,clip,end_s\n1,clip0.mkv,\n", "'' in line 2"),
    ],
)
def test_a_stimulus_log_that_cannot_be_meant_is_refused_by_its_line(
    recorded: Recorded, tmp_path: Path, text: str, named: str
) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(UnreadableFileError, match=r"log\.csv") as refused:
        read_stimulus_log(tmp_path / "log.csv", clips=recorded.movies)
    assert named in str(refused.value)


def test_missing_files_and_folders_are_named(recorded: Recorded, tmp_path: Path) -> None:
    for refused in (
        lambda: read_stimulus_log(tmp_path / "no.csv", clips=recorded.movies),
        lambda: read_stimulus_log(recorded.log, clips=tmp_path / "no"),
        lambda: read_suite2p_traces(tmp_path),
        lambda: read_behaviour(tmp_path / "no.csv"),
    ):
        with pytest.raises(MissingFileError):
            refused()


def test_traces_that_do_not_fit_are_refused(recorded: Recorded, tmp_path: Path) -> None:
    def plane(name: str, f_raw: np.ndarray, **files: np.ndarray) -> Path:
        folder = write_plane(tmp_path / name, f_raw, is_cell=[True, True], rate_hz=10)
        for file, content in files.items():
            np.save(folder / f"{file}.npy", content)
        return folder

    holed = np.ones((2, 5))
    holed[0, 2] = np.nan
    with pytest.raises(NonFiniteError):
        read_suite2p_traces(plane("holed", holed))
    with pytest.raises(UnreadableFileError, match="the shape of F"):
        read_suite2p_traces(plane("ring", np.ones((2, 5)), Fneu=np.ones((2, 4))))
    with pytest.raises(UnreadableFileError, match="at least one accepted cell"):
        read_suite2p_traces(plane("none", np.ones((2, 5)), iscell=np.zeros((2, 2))))
    with pytest.raises(BadInputError, match=r"5 times, one for each scan"):
        read_suite2p_traces(plane("times", np.ones((2, 5))), scan_times=recorded.scan_times)


def test_end_s_cuts_a_clip(recorded: Recorded, tmp_path: Path) -> None:
    log = write_rows(tmp_path / "log.csv", "t_s,clip,end_s", [(1, "clip0.mkv", 2)])
    shown = read_stimulus_log(log, clips=recorded.movies)
    images = list(displayed_images(shown, clips=recorded.movies, rate_hz=30.0))
    assert [image.clip for image in images] == ["clip0.mkv"] * 30 + ["grey"]
    assert images[-1].t_s == pytest.approx(2)
