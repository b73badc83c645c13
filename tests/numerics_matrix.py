"""Repeat the numerical tests under other arithmetic, thread counts and orders.

    python tests/numerics_matrix.py            all settings (`make test-numerics`)
    python tests/numerics_matrix.py --short    two at once, without the long fits, in `make test`

`MKL_CBWR=COMPATIBLE` and `ATEN_CPU_CAPABILITY=default` make this processor compute as others do:
the last bits of products and sums change. A test that passes here and fails there depends on
rounding.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUBJECTS = ("calcium", "decode", "evaluate", "offline", "train", "twins")
WITHOUT_LONG_FITS = (
    *("calcium", "decode", "evaluate", "twins"),
    *("train/test_held_out_error.py", "train/test_noise_fit.py"),
)


@dataclass(frozen=True)
class Setting:
    """One way to run the numerical tests; `order` seeds the order of the tests."""

    name: str
    threads: int
    order: int
    environment: dict[str, str] = field(default_factory=dict)


SETTINGS = (
    Setting("MKL_CBWR=COMPATIBLE", 1, 1, {"MKL_CBWR": "COMPATIBLE"}),
    Setting("ATEN_CPU_CAPABILITY=default", 1, 2, {"ATEN_CPU_CAPABILITY": "default"}),
    Setting("one thread", 1, 3),
    Setting("two threads", 2, 1),
)
SHORT = Setting(
    "MKL_CBWR=COMPATIBLE and ATEN_CPU_CAPABILITY=default",
    1,
    1,
    {"MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default"},
)


def is_passed(setting: Setting, subjects: Sequence[str]) -> bool:
    """Whether the tests of `subjects` pass under `setting`."""
    threads = str(setting.threads)
    environment = os.environ | setting.environment | {
        "OMP_NUM_THREADS": threads,
        "RTDECODE_TEST_THREADS": threads,
    }  # fmt: skip
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-n", "2"),
        *("--dist", "loadfile", "--no-loadscope-reorder"),
        *("-m", "not (system or shared or long)", "-p", "no:cacheprovider"),
        # without checks of shapes, which are the same in any arithmetic and take half of the time
        *("-o", "addopts=--strict-markers --strict-config -ra --import-mode=importlib"),
        f"--randomly-seed={setting.order}",
        *(f"tests/rtdecode/{subject}" for subject in subjects),
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    is_short = "--short" in sys.argv[1:]
    chosen = (SHORT,) if is_short else SETTINGS
    subjects = WITHOUT_LONG_FITS if is_short else SUBJECTS
    failed = []
    for setting in chosen:
        print(f"numerical tests with {setting.name}, {setting.threads} thread(s)", flush=True)
        if not is_passed(setting, subjects):
            failed.append(setting.name)
    print(f"failed: {', '.join(failed)}" if failed else "passed under every setting")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
