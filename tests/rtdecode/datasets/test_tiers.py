"""Trials of a tier are found by their numbers, and one that is not there is named."""

from pathlib import Path

import pytest

from rtdecode.datasets.video_session import numbers_of
from rtdecode.schema.errors import NoSuchTierError

TIERS = {4: "train", 0: "test", 2: "train", 7: "oracle"}


def test_numbers_come_in_order() -> None:
    assert numbers_of("train", TIERS, folder=Path("mouse")) == (2, 4)


def test_a_missing_tier_is_reported_with_the_tiers_that_exist() -> None:
    with pytest.raises(NoSuchTierError, match=r"mouse.*live_main.*oracle, test, train"):
        numbers_of("live_main", TIERS, folder=Path("mouse"))
