"""Logs with one changed byte lose one chunk at most, and state what they lost.

`benchmarks/changed_bytes.py` has the comparison and writes its result.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from changed_bytes import GOLDEN, outcome, outcomes, records, write_own_session

SHORT, FULL = 10, 200


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [GOLDEN, write_own_session(tmp_path_factory.mktemp("own") / "session")]


def test_the_layout_of_a_log_covers_every_byte_of_its_records(logs: list[Path]) -> None:
    for log in logs:
        layout = records(log)
        assert [one.stop for one in layout[:-1]] == [one.start for one in layout[1:]]
        assert layout[0].start == 8
        assert layout[-1].kind == "Footer"
        assert {"Header", "Chunk", "MessageIndex", "ChunkIndex"} <= {one.kind for one in layout}


def test_a_few_logs_with_a_changed_byte_state_what_they_lost(logs: list[Path]) -> None:
    found = list(outcomes(logs, changes=SHORT, seed=7))
    assert len(found) == SHORT
    assert [one for one in found if one.mistakes] == []


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_200_logs_with_a_changed_byte_state_what_they_lost(logs: list[Path], seed: int) -> None:
    found = list(outcomes(logs, changes=FULL, seed=seed))
    assert [one for one in found if one.mistakes] == []
    assert sum(one.messages_missing > 0 for one in found) > FULL / 2
    hit = {one.record for one in found}
    assert {"Header", "Chunk", "MessageIndex", "ChunkIndex", "Footer", "magic bytes"} <= hit


def test_the_comparison_finds_a_wrong_statement(logs: list[Path]) -> None:
    layout = records(logs[1])
    number = next(n for n, one in enumerate(layout) if one.kind == "Chunk")
    chunk = layout[number]
    right = outcome(logs[1], chunk.stop - 20, 1, layout=layout)
    assert (right.mistakes, right.messages_missing) == ([], len(chunk.messages))
    # as if the log had had one more message in this chunk
    more = replace(chunk, messages=[*chunk.messages, ("bridge/scan", 1, b"x")])
    layout[number] = more
    found = outcome(logs[1], chunk.stop - 20, 1, layout=layout)
    assert "streams or counts are wrong" in found.mistakes
    assert "times are wrong" in found.mistakes
