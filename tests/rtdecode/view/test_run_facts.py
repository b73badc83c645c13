"""What the page knows of a run follows from its config."""

from pathlib import Path

import pytest

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.view.run_facts import RunFacts

HOSTS = {
    "lab": {"address": "10.0.0.2"},
    "disk": {"address": "10.0.0.3", "processes": ["recorder"]},
}


def test_a_run_without_a_decoder_decodes_nothing() -> None:
    assert RunFacts.of(RunConfig(), session="s").decodes
    for config in (
        RunConfig(decode=None),
        RunConfig(processes=(Role.RECORDER, Role.BRIDGE, Role.VIEW)),
    ):
        assert not RunFacts.of(config, session="s").decodes


@pytest.mark.parametrize(("hosts", "where"), [({}, ""), (HOSTS, " on disk")])
def test_the_report_is_where_the_recorder_is(hosts: dict[str, object], where: str) -> None:
    config = RunConfig.model_validate({"record": {"folder": "/data"}, "network": {"hosts": hosts}})
    expected = f"{Path('/data/s/report/index.html')}{where}"
    assert RunFacts.of(config, session="s").report == expected
