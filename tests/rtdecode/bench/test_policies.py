"""The benchmark of the policies: its rig decodes what is displayed, and its figures add up."""

import numpy as np
import policies
import pytest
from simulated_loop import simulate

from rtdecode.control.policies import POLICIES
from rtdecode.control.policy import PolicySetting


def test_the_simulated_rig_decodes_what_the_loop_displays() -> None:
    sessions = policies.Sessions(3)
    made = sessions.setting(2.0)
    clips = {clip: made.clip_frames(clip) for clip in made.clips[:3]}
    setting = PolicySetting(30.0, tuple(clips), sessions.mask, 3, clips.__getitem__, lambda _: ())
    policy = POLICIES["open_loop"](setting)
    record = simulate(policy, policies.DemoRig(7), clips, setting=setting, seconds=4.5)
    # each clip of two seconds is followed by the one that was asked for before its end
    assert [frame.index for frame in record.displayed] == [k % 60 for k in range(135)]
    (score,) = sessions.scores(record, from_s=1.9)
    # chance is 0; clips of the demo mouse are decoded with 0.65 to 0.95
    assert score > 0.4


def test_the_effect_is_the_mean_of_paired_differences_of_sessions() -> None:
    rows = [
        {"threshold": {"closed_hit": 1.0, "closed_false_alarm": 0.1 * k, "open_hit": 0.3,
                       "open_false_alarm": 0.2},
         "show_back": {"closed": 0.2 + k, "open": 0.1 + k}}
        for k in range(4)
    ]  # fmt: skip
    found = policies.summarised(rows)
    assert found["show_back"]["effect"]["mean"] == pytest.approx(0.1)
    assert found["show_back"]["effect"]["low"] == pytest.approx(0.1)
    assert found["threshold"]["closed"]["mean"] == pytest.approx(0.85)
    assert found["threshold"]["effect"]["per_session"] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert np.isfinite(found["threshold"]["effect"]["low"])
