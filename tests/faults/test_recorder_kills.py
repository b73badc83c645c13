"""A killed recorder costs each stream at most a second; `recorder_kills.py` compares them."""

import pytest
from recorder_kills import outcomes

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


def test_50_kills_of_the_recorder_cost_at_most_a_second_of_each_stream() -> None:
    found = list(outcomes(kills=50, seed=1))
    assert [one for one in found if one.mistakes] == []
    assert all(sum(one.sent.values()) > 100 for one in found)
    # the comparison sees a loss where there is one
    assert any(sum(one.lost.values()) > 0 for one in found)
