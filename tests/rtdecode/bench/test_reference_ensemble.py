"""The published procedure and the live decoder are scored for every number of twins."""

import json
from pathlib import Path

import pytest
import reference_ensemble

from rtdecode.datasets.sensorium import SensoriumFolder


@pytest.mark.slow
def test_each_number_of_twins_has_its_rows_and_kept_videos_are_not_made_again(
    blob_session: SensoriumFolder,
    blob_twin: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other"
    other.symlink_to(blob_twin)
    file, parts = tmp_path / "reference_blobs.json", tmp_path / "parts"
    words = ["reference_ensemble", "--data", str(blob_session.folder), "--json", str(file)]
    words += ["--twin", str(blob_twin), "--twin", str(other), "--parts", str(parts)]
    monkeypatch.setattr("sys.argv", [*words, "--trials", "1", "--iterations", "10"])
    reference_ensemble.main()
    made = {part.name: part.stat().st_mtime_ns for part in parts.iterdir()}
    reference_ensemble.main()
    assert {part.name: part.stat().st_mtime_ns for part in parts.iterdir()} == made
    assert len(made) == 2
    rows = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert [(row["method"], row["twins"], row["steps"]) for row in rows] == [
        ("online", 1, 3),
        ("online, mean of likelihoods", 2, 3),
        ("online, mean of videos", 2, 3),
        ("reference", 1, 10),
        ("reference", 2, 10),
    ]
    one, likelihoods, videos = (row["video_r"]["mean"] for row in rows[:3])
    # both twins are the same one, so that neither mean can differ from it
    assert likelihoods == pytest.approx(one, abs=1e-3)
    assert videos == pytest.approx(one, abs=1e-6)
    assert rows[1]["twin_passes_per_frame"] == rows[2]["twin_passes_per_frame"] == 6
