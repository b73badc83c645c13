"""The import contracts of pyproject.toml would be found broken, each of them."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("acquisition_bridge", "rtdecode", "stimulus")
CRIMES = {
    "layers": ("rtdecode/calcium/crime.py", "import rtdecode.decode"),
    "pure-stages": ("rtdecode/streams/crime.py", "import time"),
    "torch": ("rtdecode/view/crime.py", "import torch"),
    "zmq": ("rtdecode/pipeline/crime.py", "import zmq"),
    "psychopy": ("stimulus/crime.py", "import psychopy"),
    "rigs": ("acquisition_bridge/crime.py", "import rtdecode.session"),
    "two-rigs": ("acquisition_bridge/other_crime.py", "import stimulus"),
    "decoder-without-rigs": ("rtdecode/report/crime.py", "import stimulus"),
}


def contract_names() -> dict[str, str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {c["id"]: c["name"] for c in config["tool"]["importlinter"]["contracts"]}


def verdicts(folder: Path) -> str:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return " ".join(told.stdout.split())


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources."""
    folder = tmp_path_factory.mktemp("honest")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.npz")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def broken(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a copy in which each contract is broken once."""
    folder = tmp_path_factory.mktemp("broken") / "copy"
    shutil.copytree(honest, folder)
    for file, line in CRIMES.values():
        (folder / file).write_text(f"{line}\n", encoding="utf-8")
    return verdicts(folder)


def test_the_contracts_are_kept(honest: Path) -> None:
    said = verdicts(honest)
    for name in contract_names().values():
        assert f"{name} KEPT" in said


def test_every_contract_has_its_crime() -> None:
    assert set(CRIMES) == set(contract_names())


@pytest.mark.parametrize("contract", CRIMES)
def test_a_broken_contract_is_found(contract: str, broken: str) -> None:
    file, _ = CRIMES[contract]
    assert f"{contract_names()[contract]} BROKEN" in broken
    assert file.removesuffix(".py").replace("/", ".") in broken
