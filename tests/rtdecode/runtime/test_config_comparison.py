"""What differs between the configs of two hosts is named, and folders need not be equal."""

from pathlib import Path
from typing import Any

from rtdecode.runtime.config_comparison import compared, contents, differences, versions_compared
from rtdecode.schema.config import RunConfig

HERE = {"here": "decoder", "there": "microscope"}


def config(**sections: Any) -> RunConfig:
    return RunConfig.model_validate(sections)


def found(ours: RunConfig, theirs: RunConfig) -> list[str]:
    return differences(compared(ours), compared(theirs), **HERE)


def test_equal_configs_differ_in_nothing() -> None:
    assert found(config(), config()) == []


def test_each_setting_that_differs_is_named_with_both_values() -> None:
    ours = config(frame_rate_hz=30.0, stimulus={"clip_s": 2.0})
    theirs = config(frame_rate_hz=25.0, stimulus={"clip_s": 3.0})
    assert found(ours, theirs) == [
        "frame_rate_hz is 30.0 on decoder and 25.0 on microscope",
        "stimulus.clip_s is 2.0 on decoder and 3.0 on microscope",
    ]


def test_a_path_is_compared_by_its_last_component() -> None:
    ours = config(stimulus={"clips": "/data/movies"})
    assert found(ours, config(stimulus={"clips": "/mnt/other/movies"})) == []
    assert found(ours, config(stimulus={"clips": "/data/noise"})) == [
        'stimulus.clips is "movies" on decoder and "noise" on microscope'
    ]


def test_keys_and_session_folders_are_those_of_each_host() -> None:
    ours = config(record={"folder": "a"}, network={"keys": "/home/a/keys"})
    assert found(ours, config(record={"folder": "b"}, network={"keys": "/home/b/other"})) == []


def test_a_section_that_one_host_lacks_is_named() -> None:
    (text,) = [line for line in found(config(), config(decode=None)) if line.startswith("decode ")]
    assert text == "decode is not set on decoder and null on microscope"


def test_a_file_that_both_hosts_have_is_compared_by_its_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (tmp_path / name / "trials.yaml" for name in ("one", "two"))
    one.write_text("blocks: []")
    two.write_text("blocks: [1]")
    ours, theirs = (config(stimulus={"protocol": str(path)}) for path in (one, two))
    assert found(ours, theirs) == []
    assert differences(contents(ours), contents(theirs), **HERE) == [
        "stimulus.protocol has another content on microscope"
    ]
    # the other host has no such file, and its processes read none
    assert differences(contents(ours), contents(theirs, paths=[]), **HERE) == []


def test_many_differences_are_counted() -> None:
    ours = {f"a{n}": "1" for n in range(50)}
    lines = differences(ours, {}, here="a", there="b")
    assert len(lines) == 21
    assert lines[-1] == "and 30 more"


def test_release_and_wire_format_are_compared() -> None:
    assert versions_compared().keys() == {"rtdecode", "wire"}
