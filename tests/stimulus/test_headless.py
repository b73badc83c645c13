"""The headless screen behaves like a monitor."""

import numpy as np
import pytest

from rtdecode.schema.interfaces import Clock
from stimulus.screen import HeadlessScreen

PICTURE = np.zeros((36, 64), np.uint8)


def test_a_picture_is_visible_only_after_the_flip(clock: Clock) -> None:
    screen = HeadlessScreen(clock)
    screen.draw(PICTURE, patch=255)
    assert screen.visible is None
    assert screen.flip() == clock.now_ns()
    assert screen.visible is not None
    assert screen.visible[0] is PICTURE
    assert screen.visible[1] == 255
    assert not screen.is_quit()
    screen.close()


def test_without_a_refresh_rate_flips_return_at_once(clock: Clock) -> None:
    screen = HeadlessScreen(clock)
    assert screen.refresh_hz is None
    assert screen.flip() == screen.flip()


def test_with_a_refresh_rate_flips_wait_for_the_next_refresh(clock: Clock) -> None:
    screen = HeadlessScreen(clock, refresh_hz=60.0)
    flips = [screen.flip() for _ in range(61)]
    assert flips[-1] - flips[0] == pytest.approx(1e9, abs=2)
