"""ThorImage's Experiment.xml: its settings, and missing entries."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition_bridge.sources.raw_tail import (
    ThorExperiment,
    parsed_thor_experiment,
    read_thor_experiment,
)
from rtdecode.schema.errors import MissingFileError, UnreadableFileError

LSM = '<LSM pixelX="512" pixelY="256" frameRate="30" channel="3" averageMode="0" averageNum="4"/>'
Z = '<ZStage steps="5"/><Streaming zFastEnable="1" flybackFrames="2"/>'


def xml(*sections: str) -> bytes:
    return f"<ThorImageExperiment>{''.join(sections)}</ThorImageExperiment>".encode()


def test_a_volume_of_two_channels() -> None:
    assert parsed_thor_experiment(xml(LSM, Z)) == ThorExperiment(256, 512, 30.0, 5, 2, 2)


def test_without_fast_z_there_is_one_plane() -> None:
    still = Z.replace('zFastEnable="1"', 'zFastEnable="0"')
    assert parsed_thor_experiment(xml(LSM, still)) == ThorExperiment(256, 512, 30.0, 1, 0, 2)


def test_averaged_scans_come_less_often() -> None:
    averaged = LSM.replace('averageMode="0"', 'averageMode="1"')
    assert parsed_thor_experiment(xml(averaged)).scan_rate_hz == 7.5


def test_older_versions_write_all_four_channels() -> None:
    raw = '<RawData onlyEnabledChannels="0"/>'
    assert parsed_thor_experiment(xml(LSM, raw)).channels == 4


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (xml(), "no <LSM>"),
        (xml(LSM.replace("512", "many")), "many"),
        (xml(LSM.replace('pixelY="256"', "")), "pixelY"),
        (b"<broken", "not well-formed|unclosed"),
        (b"<!DOCTYPE x><x/>", "entities"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "Experiment.xml"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=says):
        read_thor_experiment(path)


def test_a_header_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"Experiment\.xml"):
        read_thor_experiment(tmp_path / "Experiment.xml")


@given(content=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises((ValueError, ElementTree.ParseError)):
        parsed_thor_experiment(content)


@pytest.mark.shared
def test_a_real_header_is_read_right(shared_folder: Path) -> None:
    path = next((shared_folder / "data" / "vendor" / "Thorlabs").rglob("Experiment.xml"))
    assert read_thor_experiment(path) == ThorExperiment(512, 512, 13.967, 1, 0, 1)
