"""docs/control.md has each policy with the options that its class takes."""

import inspect
import re
from pathlib import Path

import pytest

from rtdecode.control.policies import POLICIES

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "control.md").read_text(encoding="utf-8")
PART = PAGE.split("## Policies of rtdecode")[1].split("\n## ")[0]


def described(policy: str) -> str:
    """The part of the page about a policy."""
    parts = re.split(r"^### ", PART, flags=re.M)
    return next(part for part in parts if f"`{policy}`" in part.splitlines()[0])


@pytest.mark.parametrize("policy", POLICIES)
def test_every_option_of_a_policy_is_described_and_no_other(policy: str) -> None:
    _setting, *options = inspect.signature(POLICIES[policy]).parameters.values()
    text = described(policy)
    taken = {one.name for one in options}
    assert {name for name in taken if f"`{name}`" not in text and f"`{name}:" not in text} == set()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} <= taken


@pytest.mark.parametrize("policy", POLICIES)
def test_numbers_in_the_tables_are_the_defaults(policy: str) -> None:
    parameters = inspect.signature(POLICIES[policy]).parameters
    for line in described(policy).splitlines():
        if not line.startswith("| `"):
            continue
        names = re.findall(r"`(\w+)`", line.split("|")[1])
        numbers = re.findall(r"^[\d., ]+$", line.split("|")[2].strip())
        defaults = [float(text) for text in numbers[0].split(",")] if numbers else []
        assert [float(parameters[name].default) for name in names[: len(defaults)]] == defaults
