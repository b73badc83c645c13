"""The .npz of a session holds what its streams hold, and states what each array is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shown_run import write_shown_run

from rtdecode.export.npz import write_npz
from rtdecode.export.span import BLOCK, Span, blocks
from rtdecode.schema.errors import TimeSpanError
from rtdecode.session.recorded import RecordedSession

TABLES = ("event", "trial", "clip")


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_every_stream_is_there_with_times_and_coordinates(
    session: RecordedSession, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    lacks = write_npz(session, tmp_path / "a.npz", progress=lambda *step: steps.append(step))
    found = arrays(tmp_path / "a.npz")
    written = set(session.streams) - {"scans"}
    assert {"displayed", "decoded", "activity", "behaviour", "scores"} <= written
    for name in written:
        series = session.stream(name).load()
        np.testing.assert_array_equal(found[name], series.values)
        assert found[name].dtype == series.values.dtype
        np.testing.assert_array_equal(found[f"{name}_t_s"], series.t_s)
        for coordinate, (_, values) in series.coords.items():
            np.testing.assert_array_equal(found[f"{name}_{coordinate}"], values)
    assert [text for text in lacks if "scans" in text]
    total = sum(len(session.stream(name)) for name in written)
    assert steps[-1] == (total, total)


def test_events_trials_clips_and_config_are_there(session: RecordedSession, tmp_path: Path) -> None:
    write_npz(session, tmp_path / "a.npz")
    found = arrays(tmp_path / "a.npz")
    assert found["event_text"].tolist() == [one.text for one in session.events]
    assert json.loads(found["event_counts"][0]) == dict(session.events[0].counts)
    assert found["trial_t_start_s"].tolist() == [one.t_start_s for one in session.trials]
    assert found["clip_clip"].tolist() == [one.clip for one in session.presentations]
    assert str(found["config_yaml"]) == session.layout.config.read_text(encoding="utf-8")
    assert json.loads(str(found["metadata_json"]))["session"] == session.name


def test_the_readme_states_every_array(session: RecordedSession, tmp_path: Path) -> None:
    write_npz(session, tmp_path / "a.npz")
    found = arrays(tmp_path / "a.npz")
    lines = str(found.pop("README")).splitlines()
    stated = {line.partition(":")[0]: line for line in lines}
    assert set(found) <= set(stated)
    for name, array in found.items():
        assert str(array.shape) in stated[name] or not array.shape
    assert "grey level (0-255)" in stated["decoded"]


def test_numpy_alone_reads_it(session: RecordedSession, tmp_path: Path) -> None:
    write_npz(session, tmp_path / "a.npz")
    program = (
        "import sys, numpy\n"
        "for name in ('rtdecode', 'mcap', 'msgpack'): sys.modules[name] = None\n"
        f"print(numpy.load({str(tmp_path / 'a.npz')!r})['decoded'].shape)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.strip() == str(session.decoded.shape), told.stderr


def test_a_span_has_the_values_in_it_alone(session: RecordedSession, tmp_path: Path) -> None:
    write_npz(session, tmp_path / "a.npz", span=Span(0.5, 1.5))
    found = arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["decoded"], session.decoded.between(0.5, 1.5).values)
    for name in [name for name in found if name.endswith("_t_s") and name != "trial_t_s"]:
        assert ((found[name] >= 0.5) & (found[name] < 1.5)).all(), name
    with pytest.raises(TimeSpanError, match="the session lasts 3"):
        write_npz(session, tmp_path / "b.npz", span=Span(100, 101))


def test_planes_with_other_neurons_are_arrays_of_their_own(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", planes=2).folder)
    write_npz(session, tmp_path / "a.npz")
    found = arrays(tmp_path / "a.npz")
    for plane in range(2):
        series = session.fluorescence.of_plane(plane).load()
        np.testing.assert_array_equal(found[f"fluorescence_plane_{plane}"], series.values)


def test_blocks_are_the_stream(session: RecordedSession) -> None:
    assert BLOCK > 1
    found = np.concatenate([block.values for block in blocks(session.decoded, size=7)])
    np.testing.assert_array_equal(found, session.decoded.values)
