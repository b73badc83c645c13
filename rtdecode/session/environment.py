"""Software versions, git revision, processor and threads of a run, for its record."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from rtdecode.runtime.run_info import UNKNOWN, git_revision
from rtdecode.schema.disk import write_errors_named

RECORDED_PACKAGES = (
    "rtdecode",
    "torch",
    "numpy",
    "numba",
    "scipy",
    "pyzmq",
    "msgpack",
    "mcap",
    "pydantic",
    "psychopy",
    "scikit-image",
    "av",
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Environment:
    """Machine and software of a run, as needed to interpret its figures and to repeat it."""

    git_revision: str
    versions: dict[str, str]
    python: str
    system: str
    cpu: str
    cores: int
    memory_mb: int
    threads: dict[str, str]

    def save(self, path: Path) -> None:
        """Write as JSON; FileWriteError where the disk refuses it."""
        with write_errors_named(path):
            path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def environment_here() -> Environment:
    """The environment of this process; packages that are not installed are left out."""
    return Environment(
        git_revision=git_revision(),
        versions=package_versions(),
        python=sys.version.split()[0],
        system=platform.platform(),
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        memory_mb=psutil.virtual_memory().total // 1_000_000,
        threads={name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
    )


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can affect a result."""
    found: dict[str, str] = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or UNKNOWN
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
