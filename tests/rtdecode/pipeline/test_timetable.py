"""The timetable of a protocol agrees with what is displayed, and `check` finds its mistakes."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from rtdecode.cli import app
from rtdecode.pipeline.timetable import checked_protocol, movie_s, timed_trials, timetable
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ClipError, SeveralMistakesError

USER = CliRunner()
BLANK = {"kind": "blank", "duration_s": 0.5}


def run_of(folder: Path, *blocks: dict[str, Any]) -> Path:
    (folder / "protocol.yaml").write_text(json.dumps({"blocks": blocks}))
    config = {
        "processes": ["recorder", "stimulus"],
        "stimulus": {"presenter": "headless", "protocol": "protocol.yaml", "clip_s": 2.0},
        "record": {"folder": str(folder / "sessions")},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    return folder / "run.yaml"


def film(path: Path, *, frames: int, rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for number in range(frames):
            grey = np.full((36, 64, 3), number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("frames", "rate"), [(40, 30), (1, 30), (25, 24), (7, 60)])
def test_the_length_of_a_movie_is_that_of_its_frames(
    tmp_path: Path, frames: int, rate: int
) -> None:
    assert movie_s(film(tmp_path / "a.mp4", frames=frames, rate=rate)) == pytest.approx(
        frames / rate, abs=1e-3
    )


def test_starts_are_those_of_the_frames_that_the_stimulus_displays(tmp_path: Path) -> None:
    from stimulus.protocol.protocol_movie import protocol_movie

    film(tmp_path / "a.mp4", frames=25, rate=24)
    file = run_of(
        tmp_path,
        {"stimuli": [BLANK, {"kind": "movie", "file": "a.mp4", "repeats": 2}], "interval_s": 0.24},
        {"stimuli": [{"kind": "movie", "embedded": 1}, BLANK], "wait_for_trigger": True},
    )
    config = read_config(file)
    found = checked_protocol(config)
    movie = protocol_movie(config.stimulus, frame_rate_hz=config.frame_rate_hz)
    assert found is not None
    assert movie is not None
    timed = list(timed_trials(*found, frame_rate_hz=30.0, clip_s=2.0))
    displayed = [frame for frame in movie.movie_frames() if not frame.waits]
    trials = [frame.trial for frame in displayed]
    assert [one.trial.number for one in timed] == [0, 1, 2, 3, 4]
    for one in timed:
        number = one.trial.number
        assert one.start_s == pytest.approx(trials.index(number) / 30)
        assert one.duration_s == pytest.approx(trials.count(number) / 30)
    last = timetable(config, *found)[-1]
    assert last == f"5 trials, {len(displayed) / 30:.2f} s, and 1 waits for start_block"


def test_check_prints_the_config_and_the_timetable(tmp_path: Path) -> None:
    stimuli = [{"kind": "blank", "duration_s": 0.5, "vary": {"grey": [0, 255]}}]
    file = run_of(tmp_path, {"name": "flicker", "stimuli": stimuli, "repeats": 15})
    told = USER.invoke(app, ["check", str(file), "--yaml"])
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("# timetable of"))
    assert lines[head + 1].split()[1:4] == ["trial", "block", "stimulus"]
    assert lines[head + 4].split() == [
        "#", "2", "flicker", "blank", "1.000", "0.500", "grey=0",
    ]  # fmt: skip
    assert lines[-2:] == ["# and 10 more", "# 30 trials, 15.00 s"]
    short = read_config(file).model_copy(update={"seconds": 9.5})
    found = checked_protocol(short)
    assert found is not None
    assert timetable(short, *found)[-1] == "the run ends before, after 9.5 s (seconds)"
    # what is printed is a config
    (tmp_path / "printed.yaml").write_text(told.stdout)
    assert read_config(tmp_path / "printed.yaml").stimulus.protocol == tmp_path / "protocol.yaml"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"stimuli": [BLANK | {"duration_s": 0.01}]}, "below one frame"),
        ({"stimuli": [{"kind": "movie", "file": "none.mp4"}]}, "none.mp4 does not exist"),
        ({"stimuli": [{"kind": "movie", "file": "run.yaml"}]}, "run.yaml cannot be shown"),
        ({"stimuli": [{"kind": "snow"}]}, "unknown kind 'snow'"),
        (
            {"stimuli": [{"kind": "sparse_noise", "spot_deg": 9, "frame_s": 1, "duration_s": 9}]},
            "stimulus.monitor is not set",
        ),
    ],
)
def test_check_refuses_what_cannot_be_displayed(
    tmp_path: Path, block: dict[str, Any], words: str
) -> None:
    told = USER.invoke(app, ["check", str(run_of(tmp_path, block))])
    assert told.exit_code == 2
    assert words in told.stderr
    assert told.stdout == ""


def test_check_names_a_protocol_that_is_not_there(tmp_path: Path) -> None:
    file = run_of(tmp_path, {"stimuli": [BLANK]})
    (tmp_path / "protocol.yaml").unlink()
    told = USER.invoke(app, ["check", str(file)])
    assert told.exit_code == 2
    assert "stimulus.protocol" in told.stderr


def test_all_files_without_a_picture_are_listed(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no")
    pictures = {"kind": "movie", "vary": {"file": ["a.mp4", "b.mp4"]}}
    with pytest.raises(SeveralMistakesError, match=r"(?s)a\.mp4 cannot.*b\.mp4 cannot"):
        checked_protocol(read_config(run_of(tmp_path, {"stimuli": [pictures]})))
    with pytest.raises(ClipError, match=r"a\.mp4 cannot be shown"):
        movie_s(tmp_path / "a.mp4")
    assert checked_protocol(RunConfig()) is None
