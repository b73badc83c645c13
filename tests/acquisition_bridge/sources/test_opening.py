"""The config determines which source is opened."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from acquisition_bridge.sources.opening import open_source
from acquisition_bridge.sources.raw_movie import RawMovieSource
from acquisition_bridge.sources.simulated.source import SimulatedSource
from rtdecode.schema.config import RunConfig


def test_a_movie_and_the_simulated_rig_are_distinguished(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "m.raw").write_bytes(bytes(32))
    movie = {"kind": "raw_movie", "path": tmp_path / "m.raw", "rows_px": 4, "cols_px": 4}
    made = open_source(RunConfig.model_validate({"acquisition": {"source": movie}}), clock)
    assert isinstance(made, RawMovieSource)
    made.close()
    small = {"kind": "simulated", "neurons": 5, "rows_px": 64, "cols_px": 64}
    made = open_source(RunConfig.model_validate({"acquisition": {"source": small}}), clock)
    assert isinstance(made, SimulatedSource)
    assert made.spec.scan_rate_hz == 15.0


PAGE = Path(__file__).resolve().parents[3] / "docs" / "rig.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_for_rigs_are_configs(example: str) -> None:
    config = RunConfig.model_validate(yaml.safe_load(example))
    assert config.acquisition.source.kind != "simulated"
