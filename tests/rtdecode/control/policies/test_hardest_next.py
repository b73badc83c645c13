"""The clip with the lowest score comes next, and the unseen ones first."""

import numpy as np
import pytest
from simulated_loop import Record, simulate
from toy_loop import ToyRig, toy_clips, toy_setting

from rtdecode.control.policies.comparisons import OpenLoop
from rtdecode.control.policies.hardest_next import HardestNext
from rtdecode.evaluate.metrics import video_r
from rtdecode.schema.control import ActionName
from rtdecode.schema.errors import PolicyOptionValueError

CLIPS = toy_clips(6, contrasts=[15, 55, 35, 20, 50, 40])
"""A lower contrast is harder: clip0, then clip3."""
HARDEST = ("clip0", "clip3")


def session(policy_seed: int, *, closed: bool, seconds: float = 60, **options: object) -> Record:
    setting = toy_setting(CLIPS, seed=policy_seed)
    policy = HardestNext(setting, **options) if closed else OpenLoop(setting)  # type: ignore[arg-type]
    return simulate(policy, ToyRig(policy_seed), CLIPS, setting=setting, seconds=seconds)


def displayed_order(record: Record) -> list[str]:
    return [frame.clip for frame in record.displayed if frame.index == 0]


def chosen_scores(record: Record, *, from_s: float) -> list[float]:
    """video_r of the presentations that began after `from_s`."""
    decoded = {one.frame: one.luminance for one in record.reconstructions}
    starts = [k for k, f in enumerate(record.displayed) if f.index == 0 and k >= from_s * 30]
    mask = np.ones((12, 16), bool)
    scores = []
    for first in starts[:-2]:
        frames = [k for k in range(first, first + 60) if k in decoded]
        truth = np.stack([record.displayed[k].luminance for k in frames])
        scores.append(video_r(truth, np.stack([decoded[k] for k in frames]), mask))
    return scores


def test_unseen_clips_come_first_and_commands_take_effect_without_a_break() -> None:
    record = session(1, closed=True, seconds=14, explore=0.0)
    order = displayed_order(record)
    assert sorted(order[:6]) == sorted(CLIPS)
    assert [request.reason for _, request in record.requests[:5]] == ["not displayed yet"] * 5
    assert all(request.name is ActionName.SHOW_CLIP for _, request in record.requests)
    # each clip is displayed in full, and the one that was asked for follows it
    assert [frame.index for frame in record.displayed] == [k % 60 for k in range(14 * 30)]
    assert order[1:] == [request.target for _, request in record.requests][: len(order) - 1]


@pytest.mark.parametrize("seed", range(10))
def test_the_two_hardest_clips_alternate_without_exploration(seed: int) -> None:
    order = displayed_order(session(seed, closed=True, explore=0.0, seconds=40))
    assert set(order[8:]) == set(HARDEST)


def test_chosen_clips_score_lower_than_those_of_open_loop_in_each_of_ten_sessions() -> None:
    closed, open_loop = (
        [
            np.mean(chosen_scores(session(seed, closed=is_closed, seconds=38), from_s=16))
            for seed in range(10)
        ]
        for is_closed in (True, False)
    )
    assert max(closed) < min(open_loop)


def test_exploration_displays_the_other_clips_too() -> None:
    order = displayed_order(session(3, closed=True, explore=1.0))
    counts = [order[:24].count(clip) for clip in CLIPS]
    assert max(counts) - min(counts) <= 1


def test_equal_uncertainties_leave_the_choice_to_the_order_of_the_clips() -> None:
    order = displayed_order(session(3, closed=True, explore=0.0, by="uncertainty"))
    assert set(order[8:]) == {"clip0", "clip1"}


def test_a_clip_that_cannot_be_scored_is_tried_twice_and_then_left() -> None:
    clips = {**CLIPS, "grey": np.full((60, 12, 16), 128, np.uint8), "short": CLIPS["clip1"][:9]}
    setting = toy_setting(clips, seed=2)
    policy = HardestNext(setting, explore=0.0)
    record = simulate(policy, ToyRig(2), clips, setting=setting, seconds=60)
    order = displayed_order(record)
    assert [order.count(clip) for clip in ("grey", "short")] == [2, 2]
    assert set(order[-12:]) == set(HARDEST)


def test_a_dwell_time_cuts_clips() -> None:
    record = session(0, closed=True, dwell_s=1.0, seconds=12)
    commanded = [frame.index for frame in record.displayed]
    assert max(commanded) == 29


def test_the_same_seed_gives_the_same_session() -> None:
    first, second = (session(4, closed=True, seconds=30) for _ in range(2))
    assert displayed_order(first) == displayed_order(second)
    assert [r.reason for _, r in first.requests] == [r.reason for _, r in second.requests]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "luck"}, "one of score, uncertainty"),
        ({"explore": 2}, "a number from 0 to 1"),
        ({"clips": ["clip0"]}, "at least 2 different clips"),
        ({"clips": "clip0"}, "a list of names of clips"),
        ({"clips": ["clip0", "clip9"]}, "one of clip0"),
        ({"dwell_s": 0}, "a number above 0"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(PolicyOptionValueError, match=said):
        HardestNext(toy_setting(CLIPS), **options)  # type: ignore[arg-type]
