"""Sessions that are exported; each is written once, and no test changes it."""

from pathlib import Path

import pytest
from seen_run import STATED, write_seen_run
from shown_run import write_shown_run

from rtdecode.export.nwb import write_nwb
from rtdecode.session.recorded import RecordedSession

CONTROL = {
    "policy": {"name": "show_back"},
    "outputs": [{"kind": "serial", "name": "laser", "port": "/dev/none", "pulse_ms": 4.0}],
}


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stream, and each value says its time."""
    return write_shown_run(tmp_path_factory.mktemp("exported") / "run").folder


@pytest.fixture
def session(shown: Path) -> RecordedSession:
    return RecordedSession(shown)


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with all metadata, and a policy that acted."""
    folder = tmp_path_factory.mktemp("seen") / "session"
    return write_seen_run(folder, session=STATED, control=CONTROL).folder


@pytest.fixture(scope="session")
def seen_nwb(seen: Path) -> Path:
    """The same as an NWB file, which lacks nothing."""
    path = seen.parent / "session.nwb"
    assert write_nwb(RecordedSession(seen), path) == []
    return path
