"""The eye: delay, projection, contrast."""

import numpy as np
import pytest

from acquisition_bridge.sources.simulated.receptive_fields import draw_receptive_fields
from acquisition_bridge.sources.simulated.retina import DELAY_NS, Retina
from rtdecode.schema.errors import ShapeError

STEP_NS = 8_000_000
FIELDS = draw_receptive_fields(np.random.default_rng(3), 40, rows_px=36, cols_px=64)
RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (36, 64)).astype(np.uint8)


def eye() -> Retina:
    return Retina(FIELDS, rows_px=36, cols_px=64)


def test_a_frame_arrives_after_the_delay_and_not_before() -> None:
    retina = eye()
    grey = retina.drive.copy()
    retina.show(FRAME, 1000)
    retina.advance_to(1000 + DELAY_NS - 1, step_ns=STEP_NS)
    np.testing.assert_array_equal(retina.drive, grey)
    retina.advance_to(1000 + DELAY_NS, step_ns=STEP_NS)
    assert not np.allclose(retina.drive, grey)
    assert retina.late_frames == 0


def test_the_drive_is_the_sum_over_the_patch() -> None:
    retina = eye()
    retina.project(FRAME)
    seen = (FRAME - 110.0) / 60.0
    for n, (top, bottom, left, right) in enumerate(FIELDS.bounds):
        patch = FIELDS.weights[:, FIELDS.offsets[n] : FIELDS.offsets[n + 1]]
        expected = patch @ seen[top:bottom, left:right].ravel()
        np.testing.assert_allclose(retina.drive[n], expected, rtol=1e-3, atol=1e-3)


def test_uniform_grey_has_no_contrast_and_a_checkerboard_has() -> None:
    retina = eye()
    retina.project(np.full((36, 64), 170, np.uint8))
    np.testing.assert_allclose(retina.contrast, 0, atol=1e-3)
    board = np.indices((36, 64)).sum(0) % 2
    retina.project((50 + 120 * board).astype(np.uint8))  # +-1 in units of 60 grey levels
    np.testing.assert_allclose(retina.contrast, 1, rtol=1e-3)


def test_a_frame_that_is_shown_too_late_is_counted() -> None:
    retina = eye()
    retina.show(FRAME, 0)
    retina.advance_to(DELAY_NS + STEP_NS + 1, step_ns=STEP_NS)
    assert retina.late_frames == 1


def test_a_frame_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(ShapeError, match=r"\(36, 64\).*\(64, 36\)"):
        eye().show(FRAME.T, 0)
