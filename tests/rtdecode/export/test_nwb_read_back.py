"""An exported NWB file is data: its trials and their scores are those of the session itself."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from seen_run import NEURONS, SeenRun, blobs, write_seen_run

from rtdecode.datasets.nwb_session import NwbSession
from rtdecode.datasets.own_session import OwnSession
from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import Causality
from rtdecode.evaluate.alignment import Pairing
from rtdecode.evaluate.metrics import video_r
from rtdecode.export.nwb import write_nwb
from rtdecode.export.sensorium import write_sensorium
from rtdecode.offline.job import Request
from rtdecode.offline.reconstruct import reconstruct
from rtdecode.offline.ridge import fit_ridge
from rtdecode.schema.errors import TooFewClipsError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.session.recorded import RecordedSession

BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
TIERS = ("train", "oracle", "test")


def exported(session: Path) -> Path:
    path = session.parent / f"{session.name}.nwb"
    write_nwb(RecordedSession(session), path)
    return path


def require_same(session: OwnSession, file: NwbSession) -> None:
    """Same trials, tiers, images and activity; behaviour up to rounding of its times."""
    assert (file.rows_px, file.cols_px) == (session.rows_px, session.cols_px)
    assert file.frame_rate_hz == session.frame_rate_hz
    for tier in TIERS:
        assert file.trials(tier) == session.trials(tier)
        for number in session.trials(tier):
            one, other = session.segment(number), file.segment(number)
            np.testing.assert_array_equal(other.video, one.video)
            np.testing.assert_array_equal(other.responses, one.responses)
            np.testing.assert_allclose(other.behaviour, one.behaviour, rtol=1e-5, atol=1e-5)


def test_trials_are_those_of_the_session(seen: Path, seen_nwb: Path) -> None:
    session, file = OwnSession(seen), NwbSession(seen_nwb)
    require_same(session, file)
    assert np.isnan(session.segment(0).responses).any()
    assert (file.causality, file.rois_hash) == (Causality.CAUSAL, session.rois_hash)


def test_published_activity_stays_as_published(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "session")
    run.causality = "as published"
    for number in range(3):
        run.clip(f"clip{number}", blobs(number))
    session = run.end().folder
    write_sensorium(RecordedSession(session), tmp_path / "folder")
    for data in (NwbSession(exported(session)), SensoriumFolder(tmp_path / "folder")):
        assert data.causality is Causality.AS_PUBLISHED


def test_at_another_frame_rate_and_with_several_planes_too(tmp_path: Path) -> None:
    calcium = {"planes": 3, "decoded_planes": [2, 0]}
    session = write_seen_run(tmp_path / "other", frame_rate_hz=23.976, calcium=calcium).folder
    require_same(OwnSession(session), NwbSession(exported(session)))


def test_activity_that_starts_and_stops_within_clips_keeps_its_frames(tmp_path: Path) -> None:
    run = SeenRun(tmp_path / "gaps")
    for number in range(4):
        valid = np.ones((250, NEURONS), bool)
        valid[: 20 * number], valid[230:] = False, False
        valid[120:125] = False
        run.clip(f"clip{number}", blobs(number, frames=250), valid=valid)
    session = run.end().folder
    require_same(OwnSession(session), NwbSession(exported(session)))


def test_too_few_clips_are_refused_as_for_the_session(tmp_path: Path) -> None:
    session = write_seen_run(tmp_path / "few", clips=2).folder
    with pytest.raises(TooFewClipsError, match="2 different clips"):
        NwbSession(exported(session))


def test_the_live_score_follows_from_the_file_alone(seen: Path, seen_nwb: Path) -> None:
    from_log = aligned_in_log(seen)
    from_file = aligned_in_file(seen_nwb)
    for one, other in zip(from_log, from_file, strict=True):
        np.testing.assert_array_equal(one, other)
    mask = np.ones(from_log[0].shape[1:], bool)
    score = video_r(*from_file, mask)
    assert score == video_r(*from_log, mask)
    assert 0.6 < score < 1


def test_the_example_of_the_page_gives_that_score(seen: Path, seen_nwb: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    [block] = [one for one in BLOCK.findall(page) if "h5py" in one]
    code = block.replace("day1.nwb", str(seen_nwb))
    command = [sys.executable, "-W", "error", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    displayed, decoded = aligned_in_log(seen)
    assert float(told.stdout) == pytest.approx(
        np.corrcoef(displayed.ravel(), decoded.ravel())[0, 1]
    )


def aligned_in_log(session: Path) -> tuple[np.ndarray, np.ndarray]:
    """Displayed and reconstructed frames of the same frames of the grid."""
    pairing = Pairing(FrameGrid(30.0), hold_frames=10_000)
    messages = RecordedSession(session).messages("displayed_frame", "reconstruction")
    pairs = [pair for item in messages for pair in pairing.add(item.message)]
    pairs.sort(key=lambda pair: pair.frame)
    displayed = [pair.displayed.luminance for pair in pairs]
    return np.stack(displayed), np.stack([pair.reconstruction.luminance for pair in pairs])


def aligned_in_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same, as a stranger computes it: what was on the screen at the time of the content."""
    with h5py.File(path) as file:
        shown = file["stimulus/presentation/displayed"]
        decoded = file["processing/decoding/reconstruction"]
        start = decoded["starting_time"]
        at_s = start[()] + np.arange(len(decoded["data"])) / start.attrs["rate"]
        place = np.searchsorted(shown["timestamps"][:], at_s, side="right") - 1
        return shown["data"][:][place], decoded["data"][:]


def test_a_decoder_that_is_fitted_to_either_scores_the_same(tmp_path: Path, clock: Any) -> None:
    session = write_seen_run(tmp_path / "session", clips=10).folder
    scores = []
    for data in (session, exported(session)):
        ridge = tmp_path / f"ridge of {data.name}"
        opened = NwbSession(data) if data.suffix else OwnSession(data)
        fit_ridge(opened, lag_frames=4).save(ridge)
        request = Request(
            data=data,
            out=tmp_path / f"out of {data.name}",
            method="ridge",
            tier="test",
            twins=(),
            ridge=ridge,
            lag_frames=4,
            steps=3,
            iterations=None,
            mask=None,
            source="responses",
        )
        scores.append(reconstruct(request, clock=clock, report=lambda *_: None)["video_r"]["mean"])
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0] > 0.2
