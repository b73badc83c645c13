"""Receptive fields: the stimuli each kind responds to, and their coverage of the screen."""

import numpy as np
import pytest

from acquisition_bridge.sources.simulated.receptive_fields import (
    ReceptiveFields,
    draw_receptive_fields,
)


@pytest.fixture(scope="module")
def fields() -> ReceptiveFields:
    return draw_receptive_fields(np.random.default_rng(3), 600, rows_px=36, cols_px=64)


def test_gabors_do_not_answer_to_uniform_light(fields: ReceptiveFields) -> None:
    size = np.add.reduceat(np.abs(fields.weights[0]), fields.offsets[:-1])
    total = np.add.reduceat(fields.weights, fields.offsets[:-1], axis=1)
    np.testing.assert_allclose((total / size)[:, ~fields.is_blob], 0, atol=1e-5)


def test_blobs_answer_to_light_or_to_dark_and_both_occur(fields: ReceptiveFields) -> None:
    total = np.add.reduceat(fields.weights[0], fields.offsets[:-1])[fields.is_blob]
    assert (np.abs(total) > 0.5).all()
    assert 0.3 < (total > 0).mean() < 0.7


def test_every_patch_lies_on_the_screen(fields: ReceptiveFields) -> None:
    top, bottom, left, right = fields.bounds.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (bottom <= 36).all()
    assert (right <= 64).all()
    np.testing.assert_array_equal((bottom - top) * (right - left), np.diff(fields.offsets))


def test_every_sixteenth_of_the_screen_has_its_share_of_neurons(fields: ReceptiveFields) -> None:
    counts, _, _ = np.histogram2d(*fields.center_px.T, bins=4, range=((0, 36), (0, 64)))
    assert counts.min() > 600 / 16 / 2


def test_all_kinds_of_cells_occur(fields: ReceptiveFields) -> None:
    assert 0.25 < fields.is_blob.mean() < 0.45
    assert 0.12 < fields.is_complex.mean() < 0.28
    assert not (fields.is_complex & fields.is_blob).any()
    assert (np.abs(fields.direction) > 0.5).mean() > 0.08


def test_the_same_seed_draws_the_same_fields(fields: ReceptiveFields) -> None:
    again = draw_receptive_fields(np.random.default_rng(3), 600, rows_px=36, cols_px=64)
    np.testing.assert_array_equal(again.weights, fields.weights)
    np.testing.assert_array_equal(again.direction, fields.direction)
