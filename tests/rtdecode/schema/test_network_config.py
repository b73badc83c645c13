"""The hosts of a run in its config."""

import pytest
from pydantic import ValidationError

from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.run import RunConfig

DECODER = {"address": "10.0.0.2"}


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ({"Decoder PC": DECODER}, "is no name of a host"),
        ({"one": DECODER, "two": {"address": "10.0.0.3"}}, "got one and two"),
        ({"rig": {"address": "10.0.0.3", "processes": ["bridge"]}}, "got none"),
        ({"d": DECODER, "r": {"address": "r", "processes": ["decoder"]}}, "must run on the host"),
        (
            {"d": DECODER} | {name: {"address": "r", "processes": ["view"]} for name in "ab"},
            "view must have one host",
        ),
        ({"d": {"address": "10.0.0.2:5700"}}, "without scheme and port"),
        ({"d": {"address": "tcp://10.0.0.2"}}, "without scheme and port"),
        ({"d": {"address": "0.0.0.0"}}, "no address under which others reach a computer"),
        (
            {"d": {"address": "127.0.0.1"}, "r": {"address": "10.0.0.3", "processes": ["bridge"]}},
            "under which r reaches itself",
        ),
    ],
)
def test_hosts_that_make_no_run_are_refused(hosts: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NetworkConfig.model_validate({"hosts": hosts})


def test_a_run_has_one_computer_by_default() -> None:
    assert RunConfig().network.main_host == ""
