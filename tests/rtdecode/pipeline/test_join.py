"""Which host a computer is, what is looked for on it, and which sessions it takes part in."""

import socket
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from rtdecode.pipeline.host_starter import Starter
from rtdecode.pipeline.hosts import included_on, joined_hosts
from rtdecode.pipeline.join import HostJoin, this_host
from rtdecode.pipeline.preflight import checked
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import (
    HostRolesError,
    HostUnknownError,
    MissingFileError,
    SessionNameError,
)
from rtdecode.schema.hosts import Admission

ROOT = Path(__file__).resolve().parents[3]
HOSTS = {
    "decoder": {"address": "127.0.0.1"},
    "rig": {"address": "127.0.0.2", "processes": ["bridge", "stimulus"]},
    "office": {"address": "127.0.0.3", "processes": ["view"]},
}


def config(**sections: Any) -> RunConfig:
    given = {"network": {"hosts": HOSTS}, "decode": None} | sections
    return RunConfig.model_validate(given)


@pytest.mark.parametrize(
    ("host", "roles", "key", "expected"),
    [
        ("rig", (), "", "rig"),
        ("", (Role.VIEW,), "", "office"),
        ("", (Role.STIMULUS, Role.BRIDGE), "", "rig"),
        ("", (), "office", "office"),
        ("rig", (), "office", "rig"),
    ],
)
def test_a_host_is_named_by_option_by_its_processes_or_by_its_key(
    host: str, roles: tuple[Role, ...], key: str, expected: str
) -> None:
    assert this_host(config(), host=host, roles=roles, keys=key) == expected


@pytest.mark.parametrize(
    ("host", "roles", "key"),
    [
        ("", (), ""),
        ("attic", (), ""),
        ("decoder", (), ""),
        ("", (), "attic"),
        ("", (Role.DECODER,), ""),
    ],
)
def test_a_host_that_does_not_join_is_refused_with_those_that_do(
    host: str, roles: tuple[Role, ...], key: str
) -> None:
    with pytest.raises(HostUnknownError, match="rig, office"):
        this_host(config(), host=host, roles=roles, keys=key)


def test_one_program_runs_all_processes_of_its_host() -> None:
    with pytest.raises(HostRolesError, match="--role stimulus --role bridge"):
        this_host(config(), host="", roles=[Role.BRIDGE])


def test_a_host_whose_processes_the_run_does_not_need_does_not_join() -> None:
    assert joined_hosts(config(processes=["recorder", "bridge"])) == ("rig",)
    rows = included_on(config(processes=["recorder", "bridge"]), "rig")
    assert [row.role for row in rows] == [Role.BRIDGE]


def test_each_host_looks_for_the_files_of_its_own_processes(tmp_path: Path) -> None:
    given = config(
        stimulus={"clips": str(tmp_path / "absent")},
        record={"folder": str(tmp_path)},
        decode=None,
        calcium={"detector": "local_correlation"},
    )
    assert checked(given).processes is not None
    with pytest.raises(MissingFileError, match=r"stimulus\.clips"):
        checked(given, host="rig")


@pytest.mark.parametrize("session", ["", "..", "../../etc", "a/b", ".hidden", "a" * 200])
def test_a_session_that_is_no_name_of_a_folder_is_refused(session: str, tmp_path: Path) -> None:
    given = config(record={"folder": str(tmp_path)})
    joining = HostJoin(given, "rig", say=lambda _text: None)
    with pytest.raises(SessionNameError):
        joining._folder(Admission("a", "admitted", "", session, "t"))
    assert not list(tmp_path.iterdir())


def test_a_stop_before_any_run_ends_without_a_trace(tmp_path: Path) -> None:
    given = config(record={"folder": str(tmp_path)})
    stop = Event()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        stop.set()

    assert HostJoin(given, "rig", say=say).one_run(stop=stop) is None
    assert said == ["waits for `rtdecode run` at tcp://127.0.0.1:5700"]
    assert not list(tmp_path.iterdir())


WITHOUT = (
    "import sys; "
    "absent = ('torch', 'numba', 'scipy', 'skimage', 'matplotlib', 'mcap', 'starlette'); "
    "sys.modules.update(dict.fromkeys(absent)); "
    "from rtdecode.commands.join import app; "
    "from rtdecode.commands.requests import app"
)
"""Imports the verbs of a rig's computer where no package of the decoder is there."""


def test_a_rig_joins_without_the_packages_of_the_decoder() -> None:
    command = [sys.executable, "-c", WITHOUT]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_the_files_of_this_host_are_looked_for_before_it_joins(tmp_path: Path) -> None:
    given = config(stimulus={"clips": str(tmp_path / "absent")}, record={"folder": str(tmp_path)})
    with pytest.raises(MissingFileError, match=r"stimulus\.clips"):
        HostJoin(given, "rig", say=lambda _text: None).check()
    HostJoin(given, "office", say=lambda _text: None).check()


def test_a_start_waits_while_another_program_uses_the_port_of_its_process(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.3", 0))
        other.listen()
        port = other.getsockname()[1]
        given = config(view={"host": "127.0.0.3", "port": port})
        rows = included_on(given, "office")
        start = Starter(rows, ["-c"], env={}, logs=tmp_path, config=given)
        assert start("view", 1, "") is None
    assert not list(tmp_path.iterdir())


def test_the_example_for_three_computers_is_a_config_of_two_that_join() -> None:
    example = read_config(ROOT / "configs" / "rig_three_hosts.yaml")
    assert joined_hosts(example) == ("microscope", "screen")
    assert example.network.main_host == "decoder"
