"""One table has all processes; docs/architecture.md shows it.

`python -P tests/rtdecode/pipeline/test_topology.py` writes the table of the page.
"""

import doctest
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from rtdecode.pipeline import topology
from rtdecode.pipeline.topology import (
    SUPERVISOR,
    TOPOLOGY,
    Needs,
    as_markdown,
    included,
    subscriptions,
)
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import AcquisitionConfig, RecordedTrialsSource
from rtdecode.schema.config.control import ControlConfig, PolicyConfig
from rtdecode.schema.config.network import ENDPOINTS
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import NothingToScoreError, SettingMissingError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
BEGIN, END = "<!-- topology: begin -->", "<!-- topology: end -->"
WITHOUT_DECODER = RunConfig(decode=None)
CONTROL = ControlConfig(policy=PolicyConfig(name="open_loop"))
CONTROLLED = RunConfig(control=CONTROL)


def roles(config: RunConfig) -> list[Role]:
    return [row.role for row in included(config)]


def test_every_role_has_one_row_and_a_module() -> None:
    assert [row.role for row in TOPOLOGY] == list(Role)
    assert all(importlib.util.find_spec(row.module) for row in TOPOLOGY)


def test_every_source_has_one_publisher_and_an_endpoint_of_its_name() -> None:
    names = [source.name for row in TOPOLOGY for source in row.publishes]
    assert len(set(names)) == len(names)
    sources = {*names, SUPERVISOR.name}
    assert sources | {"control", "requests", "recorder", "commands"} == set(ENDPOINTS)
    assert {name for row in TOPOLOGY for name, _ in row.subscribes} <= sources


def test_by_default_all_processes_run_except_a_controller() -> None:
    assert roles(RunConfig()) == [role for role in Role if role is not Role.CONTROLLER]
    assert roles(CONTROLLED) == list(Role)


def test_replayed_trials_have_one_process_for_microscope_and_screen() -> None:
    source = RecordedTrialsSource(path=Path("mouse.nwb"))
    config = RunConfig(acquisition=AcquisitionConfig(source=source))
    left_out = {Role.CONTROLLER, Role.STIMULUS}
    assert roles(config) == [role for role in Role if role not in left_out]
    (rig,) = (row for row in included(config) if row.role is Role.BRIDGE)
    assert importlib.util.find_spec(rig.module)
    assert not rig.restarts(config)
    assert "stimulus" in subscriptions(Role.VIEW, config).expected


def test_without_a_decoder_there_is_no_score() -> None:
    left_out = {Role.EVALUATE, Role.CONTROLLER}
    assert roles(WITHOUT_DECODER) == [role for role in Role if role not in left_out]


def test_a_controller_without_a_policy_is_refused_where_the_config_names_it() -> None:
    config = RunConfig(processes=(Role.RECORDER, Role.CONTROLLER))
    with pytest.raises(SettingMissingError, match="set control: processes names the controller"):
        included(config)


def test_the_controller_ends_before_all_others_and_never_ends_a_run() -> None:
    recorder, controller, *_ = TOPOLOGY
    assert (recorder.role, controller.role) == (Role.RECORDER, Role.CONTROLLER)
    assert not controller.is_essential
    assert controller.restarts(CONTROLLED)


def test_evaluate_without_a_decoder_is_refused_where_the_config_names_it() -> None:
    config = RunConfig(processes=tuple(Role), decode=None, control=CONTROL)
    with pytest.raises(NothingToScoreError, match="remove evaluate from processes") as refusal:
        included(config)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("role", "config", "expected"),
    [
        (Role.DECODER, RunConfig(), ("bridge",)),
        (Role.EVALUATE, RunConfig(), ("stimulus", "bridge", "decoder", "emit")),
        (Role.VIEW, RunConfig(), ("stimulus", "decoder", "emit", "evaluate", "bridge", "events")),
        (Role.VIEW, WITHOUT_DECODER, ("stimulus", "decoder", "bridge", "events")),
        (Role.BRIDGE, RunConfig(), ("stimulus",)),
        (Role.CONTROLLER, CONTROLLED, ("ready", "evaluate", "bridge", "stimulus", "events")),
        (
            Role.CONTROLLER,
            RunConfig(decode=None, control=CONTROL),
            ("bridge", "stimulus", "events"),
        ),
        (Role.RECORDER, RunConfig(), ()),
    ],
)
def test_a_process_waits_for_the_sources_that_its_run_starts(
    role: Role, config: RunConfig, expected: tuple[str, ...]
) -> None:
    assert subscriptions(role, config).expected == expected


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, {role for role in Role if role is not Role.RECORDER}),
        (
            {"acquisition": {"after_failure": "end_run"}},
            {Role.STIMULUS, Role.CONTROLLER, Role.DECODER, Role.EVALUATE, Role.VIEW},
        ),
        (
            {"stimulus": {"after_failure": "end_run"}},
            {Role.BRIDGE, Role.CONTROLLER, Role.DECODER, Role.EVALUATE, Role.VIEW},
        ),
    ],
)
def test_all_but_the_recorder_are_started_again_unless_the_config_says_otherwise(
    sections: dict[str, object], expected: set[Role]
) -> None:
    config = RunConfig.model_validate(sections)
    assert {row.role for row in TOPOLOGY if row.restarts(config)} == expected


def test_nothing_that_follows_from_displayed_frames_reaches_the_decoder() -> None:
    """Except through the animal: the simulated microscope sees the screen as a mouse does."""
    published = {source.name: row for row in TOPOLOGY for source in row.publishes}
    (decoder,) = (row for row in TOPOLOGY if row.role is Role.DECODER)
    assert [published[name].role for name, _ in decoder.subscribes] == [Role.BRIDGE]
    assert published["bridge"].subscribes == (("stimulus", Needs.SIMULATED_RIG),)


def test_no_source_file_of_the_decoder_knows_displayed_frames() -> None:
    package = Path(topology.__file__).parents[1]
    files = [
        *(path for name in ("decode", "calcium", "streams") for path in (package / name).glob("*")),
        *(package / "pipeline" / f"{name}.py" for name in ("decoder", "decoding_stage")),
        *(package / "pipeline" / f"{name}.py" for name in ("calcium_stage", "calcium_files")),
    ]
    texts = [path.read_text(encoding="utf-8") for path in files if path.suffix == ".py"]
    assert len(texts) > 40
    for word in ("DisplayedFrame", "ResponsePrediction", "rtdecode.evaluate"):
        assert [text[:80] for text in texts if word in text] == []


def test_a_source_on_another_machine_is_connected_to_and_not_waited_for() -> None:
    network: Any = {"bridge": "tcp://10.0.0.2:5701"}
    config = RunConfig(processes=(Role.RECORDER, Role.DECODER), network=network)
    found = subscriptions(Role.DECODER, config)
    assert found.endpoints == ("tcp://10.0.0.2:5701",)
    assert found.expected == ()


def test_the_example_of_the_module_is_true() -> None:
    assert doctest.testmod(topology).failed == 0


def written() -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def test_the_page_has_the_table() -> None:
    assert written() == as_markdown(), "run `python -P tests/rtdecode/pipeline/test_topology.py`"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{as_markdown()}\n{END}{after}", encoding="utf-8")
