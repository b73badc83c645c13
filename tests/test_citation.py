"""CITATION.cff states this release, and the method that it builds on."""

from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_the_citation_is_of_this_release_under_its_licence() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == version("rtdecode")
    assert f"{cited['license']} License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert cited["authors"][0]["name"] in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert [one["doi"] for one in cited["references"]] == ["10.7554/eLife.105081"]
