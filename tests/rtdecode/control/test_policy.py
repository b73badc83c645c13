"""Requests of policies hold what the stimulus and the outputs need."""

import numpy as np

from rtdecode.control.policy import Observation, Request
from rtdecode.schema.control import ActionName


def test_each_request_names_its_action_and_target() -> None:
    frames = np.zeros((3, 36, 64), np.uint8)
    shown = Request.show_frames(frames, name="back", reason="r 0.7")
    assert (shown.name, shown.target, shown.reason) == (ActionName.SHOW_FRAMES, "back", "r 0.7")
    assert shown.frames is frames
    assert Request.show_clip("one", t_due_ns=5).t_due_ns == 5
    contrast = Request.set_parameter("contrast", 0.4)
    assert (contrast.target, contrast.value) == ("contrast", 0.4)
    assert Request.trigger("ttl").name is ActionName.TRIGGER
    assert [Request.pause().name, Request.resume().name] == ["pause", "resume"]


def test_an_observation_without_body_is_session_time() -> None:
    assert Observation(7).body is None
    assert not Observation(7).armed
