"""A scene is its background where no object covers it, and the object's texture where one does."""

import numpy as np

from stimulus.gaze import GazePath
from stimulus.scene import Cutout, Layer, SceneImage, random_cutout, random_layer, scene_frames
from stimulus.surface import Surface

NOISE = np.random.default_rng(2).uniform(0, 255, (400, 400)).astype(np.float32)
STILL = GazePath(np.zeros((5, 2)), np.ones(5))


def test_at_scale_one_the_screen_is_the_picture() -> None:
    layer = Layer(Surface(NOISE), STILL, (100.0, 200.0), 1.0)
    seen = scene_frames(layer, [], 1)[0]
    np.testing.assert_allclose(seen, NOISE[82:118, 168:232], rtol=1e-5)


def test_the_path_moves_the_view_in_screen_pixels() -> None:
    path = GazePath(np.array([[0.0, 0.0], [2.0, -3.0]]), np.ones(2))
    before, after = scene_frames(Layer(Surface(NOISE), path, (200.0, 200.0), 2.5), [], 2)
    np.testing.assert_allclose(after[:-2, 3:], before[2:, :-3], rtol=1e-4)


def test_an_object_hides_what_is_behind_it_and_nothing_else() -> None:
    behind = Layer(Surface(np.zeros((50, 50))), STILL, (0.0, 0.0), 1.0)
    texture = Layer(Surface(np.full((50, 50), 200.0)), STILL, (0.0, 0.0), 1.0)
    place = GazePath(np.full((1, 2), [18.0, 20.0]), np.ones(1))
    seen = scene_frames(behind, [Cutout(texture, place, (6.0, 9.0))], 1)[0]
    assert seen[18, 20] == 200
    assert seen[18, 28] > 0 == seen[18, 31]
    assert seen[23, 20] > 0 == seen[26, 20]
    # area of the ellipse: pi * 6 * 9 = 170
    np.testing.assert_allclose(seen.sum() / 200, 170, rtol=0.05)


def test_objects_move_against_the_background() -> None:
    rng = np.random.default_rng(4)
    images = SceneImage("noise", "CC0", Surface(NOISE), (2.0, 4.0))
    cutout = random_cutout(rng, images, 90, rate_hz=30.0)
    still = random_layer(rng, images, GazePath(np.zeros((90, 2)), np.ones(90)))
    video = scene_frames(still, [cutout], 90)
    cover = np.stack([cutout.cover(index) for index in range(90)])
    assert np.abs(np.diff(video, axis=0))[cover[1:] > 0].mean() > 1
    never = cover.max(0) == 0
    assert never.any()
    np.testing.assert_array_equal(
        video[:, never], np.broadcast_to(video[0, never], (90, never.sum()))
    )


def test_an_object_that_leaves_comes_back() -> None:
    texture = Layer(Surface(NOISE), STILL, (0.0, 0.0), 1.0)
    way = GazePath(np.array([[-500.0, 700.0]]), np.ones(1))
    assert Cutout(texture, way, (6.0, 6.0)).cover(0).max() > 0.4
