"""Bad input at the command line: one error, its exit code, and no process left running."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from live_run import process_of

import rtdecode
from rtdecode.calcium.rois import rois_from_lists
from rtdecode.session.reader import LogReader

pytestmark = pytest.mark.system

DEMO_TWIN = Path(rtdecode.__file__).parent / "demo_mouse"
NOBODY_SENDS = {"kind": "zmq_native", "address": "tcp://127.0.0.1:*"}


def refused(
    user: Any, *command: object, says: tuple[str, ...], code: int = 2
) -> "subprocess.CompletedProcess[str]":
    told = user.told(*command)
    assert told.returncode == code, told.stdout + told.stderr
    assert "Traceback" not in told.stderr
    for part in says:
        assert part in told.stderr
    assert user.left_running() == []
    return told


def complete(log: Path) -> bool:
    return LogReader(log).summary().complete


def test_without_display_and_xvfb_the_error_names_what_to_install(user: Any) -> None:
    user.environment.pop("DISPLAY", None)
    user.environment["PATH"] = str(user.folder)
    config = user.config(processes=["recorder", "stimulus"])
    says = ("DISPLAY is not set and Xvfb is not installed", "apt-get install xvfb", "headless")
    refused(user, "run", config, "--out", "s", says=says)


def test_a_port_in_use_is_named_with_the_setting_that_changes_it(user: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = user.config(processes=["recorder", "view"], view={"port": port})
        says = (f"127.0.0.1:{port} is already in use", "view.port (0 lets the system choose")
        refused(user, "run", config, "--out", "s", says=says)


@pytest.fixture
def videos(user: Any) -> Path:
    """A folder with one good video."""
    folder = user.folder / "videos"
    folder.mkdir()
    with av.open(str(folder / "good.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for level in range(30):
            grey = np.full((36, 64, 3), 8 * level, np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        video.mux(stream.encode())
    return folder


def test_clips_that_are_not_there_are_named_at_once(user: Any) -> None:
    says = ("clip none cannot be shown: it does not exist", "give videos that ffmpeg reads")
    refused(user, "demo", "--clips", "none", "--out", "s", says=says)
    assert not (user.folder / "s").exists()


def test_a_broken_clip_among_good_ones_is_named(user: Any, videos: Path) -> None:
    whole = (videos / "good.mp4").read_bytes()
    (videos / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    says = (f"clip {videos / 'torn.mp4'} cannot be shown", "give videos that ffmpeg reads")
    refused(user, "demo", "--headless", "--clips", videos, "--out", "s", says=says)


def test_a_folder_without_videos_is_named(user: Any, videos: Path) -> None:
    shutil.move(videos / "good.mp4", videos / "good.txt")
    stimulus = {"presenter": "headless", "clips": str(videos)}
    config = user.config(processes=["recorder", "stimulus"], stimulus=stimulus)
    says = (f"clip {videos} cannot be shown: the folder holds no video",)
    refused(user, "run", config, "--out", "s", says=says)


@pytest.mark.parametrize("content", [b"", b"no TIFF at all, whatever its name says"])
def test_an_unreadable_movie_is_named(user: Any, content: bytes) -> None:
    movie = user.folder / "movie.tif"
    movie.write_bytes(content)
    config = user.config(processes=["recorder", "bridge"])
    says = (f"movie {movie} cannot be used: expected a multi-page TIFF", ", got ")
    refused(user, "run", config, "--movie", movie, "--out", "s", says=says)


@pytest.mark.parametrize("verb", ["check", "run"])
def test_all_mistakes_of_a_config_are_reported_at_once(user: Any, verb: str) -> None:
    config = user.folder / "wrong.yaml"
    config.write_text(
        "seconds: soon\n"
        "processes: [bridge]\n"
        "acquisition:\n"
        "  source: {kind: simulated, neurons: -3}\n"
        "decode:\n"
        "  lag_frames: 40\n"
        "veiw:\n"
        "  port: 1\n"
    )
    says = (
        "5 mistakes",
        "line 1: seconds",
        "line 2: processes",
        "line 4: acquisition.source.neurons",
        "line 5: decode: lag_frames=40",
        "line 7: veiw: unknown key",
    )
    told = refused(user, verb, config, says=says)
    assert told.stdout == ""
    assert not (user.folder / "sessions").exists()


def test_a_twin_of_another_mouse_is_refused_with_both_numbers(user: Any) -> None:
    masks = user.folder / "masks.npz"
    rois_from_lists((64, 64), [(np.arange(n, n + 3), np.ones(3)) for n in (0, 70, 900)]).save(masks)
    config = user.config(
        processes=["recorder", "decoder"],
        calcium={"rois": str(masks)},
        decode={"twin": str(DEMO_TWIN)},
    )
    says = ("the ROIs give 3 neurons, but twin", "was trained on 1200", "set calcium.rois")
    refused(user, "run", config, "--out", "s", says=says)


def test_with_too_little_disk_space_nothing_is_started(user: Any) -> None:
    config = user.config(record={"min_free_mb": 1e9})
    says = ("MB free, a run needs at least 1000000000 MB", "free some space")
    refused(user, "run", config, "--out", "s", says=says)
    assert not (user.folder / "s" / "log.mcap").exists()


def test_a_file_in_place_of_the_session_folder_is_refused(user: Any) -> None:
    (user.folder / "s").write_text("a letter")
    config = user.config(processes=["recorder"])
    says = ("session folder s cannot be used: expected a folder that can be written",)
    refused(user, "run", config, "--out", "s", says=says)
    assert (user.folder / "s").read_text() == "a letter"


@pytest.fixture
def recording(user: Any) -> Iterator["subprocess.Popen[str]"]:
    """A run that records, until somebody stops it, what nobody sends."""
    config = user.config(processes=["recorder", "bridge"], acquisition={"source": NOBODY_SENDS})
    with user.running("run", config, "--out", "s") as running:
        assert running.stdout is not None
        assert any("bridge: running" in line for line in running.stdout)
        yield running


def test_a_second_instance_is_refused_and_the_first_goes_on(
    user: Any, recording: "subprocess.Popen[str]"
) -> None:
    told = user.told("run", user.folder / "run.yaml", "--out", "s")
    assert told.returncode == 2
    assert f"session folder s is in use by process {recording.pid}" in told.stderr
    assert "choose another --out" in told.stderr
    assert recording.poll() is None
    recording.send_signal(signal.SIGINT)
    said = recording.communicate()[0]
    assert recording.returncode == 0, said
    assert complete(user.folder / "s" / "log.mcap")
    assert user.left_running() == []


def test_a_recorder_that_is_killed_ends_the_run_and_its_log_can_be_repaired(
    user: Any, recording: "subprocess.Popen[str]"
) -> None:
    process_of(recording.pid, "rtdecode.pipeline.recorder").kill()
    said = recording.communicate()[0]
    assert recording.returncode == 1, said
    assert "recorder ended with exit code -9" in said
    assert "the run failed; its session folder is s" in said
    assert "`rtdecode recover s` repairs it" in said
    assert user.left_running() == []
    log = user.folder / "s" / "log.mcap"
    assert not complete(log)
    assert user.told("recover", "s").returncode == 0
    assert complete(log)
    assert user.told("score", "s").returncode == 0
