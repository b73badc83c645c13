"""Clips and their own reconstructions are displayed in counterbalanced order."""

from collections import Counter

import numpy as np
import pytest
from simulated_loop import Record, simulate
from toy_loop import GRID, ToyRig, observed, toy_clips, toy_setting

from rtdecode.control.policies.show_back import ShowBack, block_items, reversed_block
from rtdecode.evaluate.response_similarity import ClipResponses, shown_back_similarity
from rtdecode.schema.control import ActionName, ClipRole
from rtdecode.schema.errors import PolicyOptionValueError
from rtdecode.schema.messages import Stamped

CLIPS = toy_clips(4)
PAIR = ("clip0", "clip1")


def session(
    seed: int, *, seconds: float = 30.0, armed_from_s: float = 0.0, **options: object
) -> Record:
    setting = toy_setting(CLIPS, seed=seed)
    policy = ShowBack(setting, **options)  # type: ignore[arg-type]
    return simulate(
        policy, ToyRig(seed), CLIPS, setting=setting, seconds=seconds, armed_from_s=armed_from_s
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_block_has_each_stimulus_equally_often_sources_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = block_items(PAIR, repeats=3, rng=rng)
    assert {item.role for item in items[:2]} == {ClipRole.SOURCE}
    counts = Counter(item.name for item in items)
    assert counts == {
        **{f"source/{clip}": 1 for clip in PAIR},
        **{name: 3 for clip in PAIR for name in (clip, f"shown_back/{clip}")},
    }
    # the mean place of each stimulus over a block and the next one is the same
    both = [items[2:], reversed_block(items)[2:]]
    places = {
        name: [k for part in both for k, i in enumerate(part) if i.name == name] for name in counts
    }
    compared = {name: np.mean(found) for name, found in places.items() if found}
    assert set(compared.values()) == {(len(items) - 3) / 2}
    assert {item.role for item in reversed_block(items)[:2]} == {ClipRole.SOURCE}


def test_what_is_shown_back_is_the_reconstruction_of_the_source_in_this_block() -> None:
    record = session(2)
    decoded = {one.frame: one.luminance for one in record.reconstructions}
    names = [frame.clip for frame in record.displayed]
    shown = [r for _, r in record.requests if r.target.startswith("shown_back/")]
    for request in shown[:2]:
        first = names.index(request.target.replace("shown_back", "source"))
        expected = np.stack([decoded[k] for k in range(first, first + 60)])
        assert request.name is ActionName.SHOW_FRAMES
        # the first frames of a session are not warm in a real decoder; here all are
        np.testing.assert_array_equal(request.frames, np.clip(np.rint(expected), 0, 255))


def test_the_first_block_is_complete_and_in_the_order_of_its_items() -> None:
    asked = [request.target for _, request in session(5).requests]
    assert Counter(asked[:6]) == Counter(
        name for clip in PAIR for name in (clip, f"source/{clip}", f"shown_back/{clip}")
    )


def test_nothing_is_asked_for_before_arming_and_the_block_begins_with_it() -> None:
    record = session(1, armed_from_s=5.0)
    assert min(t_ns for t_ns, _ in record.requests) >= 5e9
    assert record.requests[0][1].target.startswith("source/")


def test_what_is_not_displayed_is_asked_for_again_each_second() -> None:
    policy = ShowBack(toy_setting(CLIPS))
    found = [r for o in observed([None] * 45, step_s=0.1) for r in policy.decide(o)]
    assert [len(r.frames) for r in found] == [60] * 5
    assert len({r.target for r in found}) == 1
    assert found[0].reason == "block 0, 1 of 6: source"
    assert found[4].reason == "block 0, 1 of 6: source, asked for 5 times"


def test_a_source_with_too_few_reconstructions_is_displayed_again() -> None:
    policy = ShowBack(toy_setting(CLIPS))
    record = simulate(
        policy, ToyRig(0, first_warm=40), CLIPS, setting=toy_setting(CLIPS), seconds=9
    )
    asked = [request.target for _, request in record.requests]
    assert asked[2] == asked[0]
    assert asked[1] != asked[0]


def test_clips_are_cut_to_the_seconds_that_are_asked_for() -> None:
    record = session(1, seconds=12, repeats=2, clips=["clip2", "clip3"])
    cut = ShowBack(toy_setting(CLIPS), seconds=1.0)
    assert {len(r.frames) for _, r in record.requests} == {60}
    first = simulate(cut, ToyRig(0), CLIPS, setting=toy_setting(CLIPS), seconds=8).requests[0][1]
    np.testing.assert_array_equal(first.frames, CLIPS[first.target.split("/")[1]][:30])


def similarity(record: Record) -> object:
    responses = ClipResponses(GRID)
    for seq, frame in enumerate(record.displayed):
        responses.add(Stamped("stimulus", seq, frame.t_flip_ns, "host", frame))
    for seq, one in enumerate(record.responses):
        responses.add(Stamped("decoder", seq, 0, "host", one))
    return shown_back_similarity(
        responses.presented(), frame_rate_hz=30.0, rng=np.random.default_rng(0)
    )


@pytest.mark.parametrize("seed", range(5))
def test_responses_to_what_is_shown_back_resemble_those_to_the_original(seed: int) -> None:
    found = similarity(session(seed, seconds=40, repeats=2))
    assert found.effect.low > 0.1  # type: ignore[attr-defined]
    assert abs(found.sham.mean) < 0.1  # type: ignore[attr-defined]
    assert found.shown_back.mean < found.ceiling.mean + 0.05  # type: ignore[attr-defined]


def test_two_clips_are_needed_so_that_one_is_sham_for_the_other() -> None:
    with pytest.raises(PolicyOptionValueError, match="at least 2 different clips"):
        ShowBack(toy_setting(CLIPS), clips=["clip0"])
    with pytest.raises(PolicyOptionValueError, match=r"repeats .* at least 1"):
        ShowBack(toy_setting(CLIPS), repeats=0)
