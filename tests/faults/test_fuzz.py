"""Mutated messages end nothing, are counted exactly, and hold up no valid one.

`fuzz.py` sends them to the real sockets, each with the stage that stands behind it.
"""

from pathlib import Path

import pytest
from fuzz import SHARES, files_fuzzed, fuzzed
from hypothesis import given
from hypothesis import strategies as st
from mutations import Mutator

from rtdecode.runtime.codec import pack, unpack
from rtdecode.runtime.plausible import Plausibility
from rtdecode.schema.errors import MessageError
from rtdecode.schema.messages import BODIES

SHORT, FULL = 10_000, 1_000_000
MOST_KB_A_MESSAGE = 0.1
"""Growth of the memory: the index of the log, which a new part of the log begins anew."""


@given(st.integers(0, 2**32))
def test_a_mutated_message_is_read_or_refused_and_what_is_read_can_be_sent(seed: int) -> None:
    mutator = Mutator(seed)
    assert pack(unpack(mutator.valid()))
    try:
        message = unpack(mutator.message())
        Plausibility().require(message, t_ns=10**12)
    except MessageError as error:
        assert len(str(error)) < 1_000  # noqa: PT017 - most are not refused
    else:
        assert unpack(pack(message)).body.kind == message.body.kind


def test_the_valid_messages_are_of_every_kind() -> None:
    mutator = Mutator(0)
    assert {unpack(mutator.valid()).body.kind for _ in range(2_000)} == {b.kind for b in BODIES}


def test_ten_thousand_mutated_messages_end_nothing_and_are_counted(tmp_path: Path) -> None:
    found = fuzzed(tmp_path, messages=SHORT, seed=1)
    assert {one.door for one in found} == set(SHARES)
    assert [(one.door, one.mistakes) for one in found if one.mistakes] == []
    # one valid message for each 50; of those to a subscriber some are filtered out by their topic
    assert 0.75 * SHORT < sum(one.sent for one in found) <= 1.1 * SHORT
    assert all(0.2 < one.read / one.sent < 0.6 for one in found)


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    found = files_fuzzed(tmp_path / "files", files=25, seed=1)
    assert found.total() == 75
    assert found["log: read"] > 0
    assert found["config: refused"] > 0


@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
def test_a_million_mutated_messages_end_nothing_and_take_no_memory(tmp_path: Path) -> None:
    found = fuzzed(tmp_path, messages=FULL, seed=2)
    assert [(one.door, one.mistakes) for one in found if one.mistakes] == []
    grown = {one.door: one.grown_kb / one.sent for one in found}
    assert {door: kb for door, kb in grown.items() if kb > MOST_KB_A_MESSAGE} == {}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_thousands_of_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    assert files_fuzzed(tmp_path / "files", files=2_000, seed=2).total() == 6_000
