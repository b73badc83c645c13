"""The run that a process belongs to: arguments from its supervisor, and the START made of them."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rtdecode.schema.messages import Start

_RECORDED = ("rtdecode", "numpy", "pyzmq", "msgpack")
UNKNOWN = "unknown"
PAGE_VARIABLE = "RTDECODE_PAGE_SECRET"
"""Environment variable in which a supervisor passes the secret of the page to its processes."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run, as its supervisor passes it to a process."""

    session: str
    git_revision: str
    config_yaml: str
    versions: dict[str, str]
    restarts: int = 0
    """Number of times that the process was started again in this run."""
    before_restart: str = ""
    """Detail of the last heartbeat before a restart, for example the address of the page."""
    token: str = ""
    """Proves to the supervisor that the process is one of its run."""
    page_secret: str = ""
    """Secret of the run from which the tokens of its page follow."""

    def start(self, *, twin_hash: str = "") -> Start:
        """START of a source in this session."""
        return Start(
            session=self.session,
            config_yaml=self.config_yaml,
            git_revision=self.git_revision,
            twin_hash=twin_hash,
            versions=self.versions,
        )


def versions_here() -> dict[str, str]:
    """Versions of Python and of the packages that a START names."""
    known = {name: version(name) for name in _RECORDED}
    return {"python": sys.version.split()[0], **known}


def git_revision(folder: Path = Path(__file__).parent) -> str:
    """Commit of `folder`, `-dirty` where files differ from it; "unknown" outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return UNKNOWN
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    # a fixed command without a shell
    described = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 - git, without a user's words
    return described.stdout.strip() if described.returncode == 0 else UNKNOWN
