"""The hashes are those of the twin's description."""

import json
from pathlib import Path

from rtdecode.evaluate.leakage import trained_clips
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.decode import DecodeConfig


def test_the_hashes_come_with_the_twin(tmp_path: Path) -> None:
    (tmp_path / "twin.json").write_text(json.dumps({"training_clips": ["ab", "cd"]}))
    assert trained_clips(RunConfig(decode=DecodeConfig(twin=tmp_path))) == ("ab", "cd")


def test_without_a_twin_nothing_was_trained(tmp_path: Path) -> None:
    assert trained_clips(RunConfig(decode=None)) == ()
    assert trained_clips(RunConfig(decode=DecodeConfig(twin=tmp_path / "none"))) == ()
