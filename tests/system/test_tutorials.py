"""docs/tutorials, each page from its first block to its last, as a reader follows it.

Long pages are followed with less data here, and in full in `make test-long`.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from followed_page import FollowedPage
from suite2p_recording import Recorded, write_rows

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "tutorials"


@pytest.mark.slow
def test_first_closed_loop(tmp_path: Path) -> None:
    (tmp_path / "rtdecode").symlink_to(ROOT / "rtdecode")
    page = FollowedPage(
        PAGES / "first_closed_loop.md", tmp_path, smaller={"repeats: 2": "repeats: 1"}
    )
    checked, ran, analysed, again, brighter, darker = page.follow().values()
    assert "timetable of" in checked
    assert "3 trials" in checked
    pulses = int(re.search(r"actions: trigger \((\d+) sent\)", ran).group(1))  # type: ignore[union-attr]
    assert pulses > 0
    assert "The content age, from the displayed frame to the trigger" in ran
    assert f"{pulses} pulses, median content age" in analysed
    assert f"identical to the recorded decisions: {pulses} of {pulses}" in again
    values = [float(found) for found in re.findall(r"luminance ([\d.]+) above 150", brighter)]
    assert all(value > 150 for value in values)
    assert f"threshold: {len(values)} actions" in brighter
    assert "FireWhenItDarkens:" in darker
    report = page.folder / "first_session" / "report"
    assert "trials of the protocol (3) are in trials.csv" in (report / "index.html").read_text()
    for name in (
        "index.html",
        "figures/closed_loop.png",
        "actions.csv",
        "trials.csv",
        "events.tsv",
    ):
        assert (report / name).stat().st_size > 0


def live_score(page: FollowedPage) -> dict[str, float]:
    """Score of the live run at the end of the page."""
    found = json.loads((page.folder / "first_live.json").read_text())
    return {name: found[name] for name in ("video_r", "frames_scored")}


RIG = PAGES / "rig_to_twin.md"
LESS = {
    # the same density of cells in a quarter of the field
    "{kind: simulated, neurons: 600": "{kind: simulated, rows_px: 128, cols_px: 128, neurons: 150",
    "seconds: 175": "seconds: 20",
    "detector_scans: 300": "detector_scans: 60\n  calibration_s: 4.0",
    # a clip counts from 3 s, and a flip that is missed near its end takes nothing from it
    "clip_s: 4.0": "clip_s: 3.2",
    # two threads wait for each other where other work has one of two cores
    "--steps 400": "--steps 50 --threads 1",
    "--out mask.npy": "--out mask.npy --threads 1",
    "--out reconstructed": "--out reconstructed --threads 1",
    "seconds: 35": "seconds: 8",
}
"""Few cells, four clips and a twin that is hardly trained: each step, without its quality."""


@pytest.mark.slow
def test_each_step_from_a_rig_to_a_twin(tmp_path: Path) -> None:
    page = FollowedPage(RIG, tmp_path, smaller=LESS)
    page.follow()
    assert live_score(page)["frames_scored"] > 0
    for name in ("mask.npy", "twin/training.json", "reconstructed/summary.json"):
        assert (page.folder / name).is_file()


@pytest.mark.long
def test_from_an_empty_folder_to_a_live_reconstruction(tmp_path: Path) -> None:
    page = FollowedPage(RIG, tmp_path)
    page.follow()
    assert live_score(page)["video_r"] >= 0.5
    assert np.load(page.folder / "mask.npy").any()


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the first tutorial was followed; other tutorials continue in it."""
    folder = tmp_path_factory.mktemp("demo")
    told = FollowedPage(
        PAGES / "first_demo.md", folder, smaller={"--seconds 20": "--seconds 12"}
    ).follow()
    ran, scored = told.values()
    assert "correlate with video r" in ran
    assert "correlate with video r" in scored
    return folder


@pytest.mark.slow
def test_own_policy(demo_folder: Path) -> None:
    page = FollowedPage(PAGES / "own_policy.md", demo_folder, smaller={"= 15": "= 10"})
    tried, _, checked, ran = page.follow().values()
    assert "AgainWhenDark:" in tried
    assert "AgainWhenDark" in checked
    assert "AgainWhenDark" in ran


def test_reading_a_session_elsewhere(demo_folder: Path) -> None:
    arrays, plain, _ = FollowedPage(PAGES / "reading_elsewhere.md", demo_folder).follow().values()
    decoded = int(re.search(r"(\d+) decoded ones", arrays).group(1))  # type: ignore[union-attr]
    assert decoded > 0
    assert f"{decoded} reconstructions of (36, 64) pixels" in plain
    assert json.loads((demo_folder / "scores.json").read_text())["frames_out"] == decoded


def test_own_adapter(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/microscope"
    page = FollowedPage(
        PAGES / "own_adapter.md", tmp_path, smaller={"ipc:///tmp/my-microscope": endpoint}
    )
    _, ran = page.follow().values()
    assert "Recorded: 120 scans" in ran
    assert "no message was lost" in ran


def test_a_recorded_session(tmp_path: Path) -> None:
    """Import and report; fits and reconstructions are those of the page before."""
    recorded = Recorded(tmp_path)
    (tmp_path / "suite2p").mkdir()
    recorded.plane.rename(tmp_path / "suite2p" / "plane0")
    write_rows(tmp_path / "scan_times.csv", "t_s", [(t_s,) for t_s in recorded.scan_s])
    left_out = {
        f"```sh\nrtdecode fit {what}": f"<!-- not run: shorter -->\n```sh\nrtdecode fit {what}"
        for what in ("twin", "ridge")
    }
    shorter = {"--out imported": "--out imported --calibration-s 8", **left_out}
    page = FollowedPage(PAGES / "recorded_session.md", tmp_path, smaller=shorter)
    imported, scored = page.follow().values()
    assert "2 neurons, 450 scans in 45 s, 5 presentations" in " ".join(imported.split())
    assert "no message was lost" in scored
