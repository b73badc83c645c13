"""At the end the page states what was lost in one sentence, by layer, and how good it was."""

from dataclasses import replace
from typing import Any

from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.messages import Gap, Score
from rtdecode.view.end_state import end_alarms, end_losses, end_score

SCORE = Score(0.9, 0.8, 0.5, 10.0, 60.0, 1800, final=True)


def test_losses_are_stated_by_layer_and_never_summed(rig: Any) -> None:
    count = OutputCount()
    items = [rig.decoded(1, 0.0), rig.decoded(2, 0.0), rig.decoded(5, 0.0)]
    for item in (*items, rig.received(Gap("bridge/scan", 4, 7, "recorder"))):
        count.count(item)
    expected = "Lost: 7 messages that the log lacks, 2 frames that were not decoded."
    assert end_losses(count, decodes=True) == expected
    assert end_losses(count, decodes=False) == "Lost: 7 messages that the log lacks."


def test_late_frames_are_no_loss(rig: Any) -> None:
    count, item = OutputCount(), rig.decoded(1, 0.0)
    late = replace(item, message=replace(item.message, body=replace(item.message.body, late=True)))
    count.count(late)
    said = end_losses(count, decodes=True)
    assert said == "Nothing was lost, but 1 of 1 frames were late."
    assert end_losses(OutputCount(), decodes=False) == "Nothing was lost."


def test_the_score_says_what_it_is_over() -> None:
    assert "0.90 and frame r 0.80 over the whole run" in end_score(SCORE, decodes=True)
    last = replace(SCORE, final=False, window_s=10.0)
    assert "over the last 10 s" in end_score(last, decodes=True)
    assert end_score(None, decodes=True) == "Nothing was scored."
    assert "no score" in end_score(None, decodes=False)


def test_alarms_that_are_left_are_stated() -> None:
    assert end_alarms(0) == ""
    assert end_alarms(1).startswith("One alarm was neither over nor acknowledged")
    assert end_alarms(3).startswith("3 alarms were")
