"""A session with every stream, written once for the exports."""

from pathlib import Path

import pytest
from shown_run import write_shown_run

from rtdecode.session.recorded import RecordedSession


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shown_run(tmp_path_factory.mktemp("exported") / "run").folder


@pytest.fixture
def session(shown: Path) -> RecordedSession:
    return RecordedSession(shown)
