"""The warp is that of PsychoPy's Warper, and equal distances in the movie are equal angles."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.schema.config.monitor import MonitorConfig, Warp
from stimulus.protocol.degrees import Geometry
from stimulus.warp import mesh, warped

CURVED = [Warp.SPHERICAL, Warp.CYLINDRICAL]
ORACLE = """
import sys, types
import numpy as np
import pyglet
pyglet.options["shadow_window"] = False
from psychopy.visual.windowwarp import Warper
distance, width, height, cylindrical, file = *map(float, sys.argv[1:5]), sys.argv[5]
made = types.SimpleNamespace(
    xgrid=65, ygrid=65, eyepoint=[0.5, 0.5], mon_width_cm=width, mon_height_cm=height,
    dist_cm=distance)
made.createVertexAndTextureBuffers = lambda v, t, opacity=None: np.savez(file, places=v, shown=t)
Warper.projectionSphericalOrCylindrical(made, bool(cylindrical))
"""


@pytest.mark.system
@pytest.mark.parametrize("warp", CURVED)
def test_it_is_the_projection_of_psychopy(warp: Warp, tmp_path: Path) -> None:
    distance, width, height = 15.0, 50.0, 50.0 * 9 / 16
    numbers = map(str, (distance, width, height, float(warp is Warp.CYLINDRICAL)))
    subprocess.run(
        [sys.executable, "-c", ORACLE, *numbers, str(tmp_path / "oracle.npz")],
        env=os.environ | {"HOME": str(tmp_path), "PSYCHOPYNOPACKAGES": "1"},
        check=True,
    )
    oracle = np.load(tmp_path / "oracle.npz")
    half = np.array([width, height]) / 2
    x, y = (oracle["places"] * half).T.astype(float)
    shown = np.stack(warped(x, y, distance_cm=distance, warp=warp), axis=-1)
    np.testing.assert_allclose(shown, (oracle["shown"] - 0.5) * 2 * half, atol=2e-4)


@given(x=st.floats(-40, 40), y=st.floats(-30, 30), distance=st.floats(5, 60))
def test_distance_from_the_centre_is_visual_angle(x: float, y: float, distance: float) -> None:
    shown = warped(np.array(x), np.array(y), distance_cm=distance, warp=Warp.SPHERICAL)
    angle = np.arctan2(np.hypot(x, y), distance)
    assert np.hypot(*shown) == pytest.approx(distance * angle, abs=1e-5)


@given(x=st.floats(-40, 40), y=st.floats(-30, 30))
def test_the_cylinder_has_azimuth_and_elevation(x: float, y: float) -> None:
    shown = warped(np.array(x), np.array(y), distance_cm=20.0, warp=Warp.CYLINDRICAL)
    angles = np.arctan2(x, 20.0), np.arctan2(y, np.hypot(x, 20.0))
    np.testing.assert_allclose(shown, 20.0 * np.array(angles), atol=1e-6)


@pytest.mark.parametrize("window", [(640, 360), (640, 480), (800, 360)])
@pytest.mark.parametrize("warp", CURVED)
def test_between_the_points_of_the_mesh_the_error_is_below_a_tenth_of_a_pixel(
    warp: Warp, window: tuple[int, int]
) -> None:
    # the picture is as wide as the config states, also in a window that is larger
    monitor = MonitorConfig(distance_cm=15.0, width_cm=50.0, warp=warp)
    places, texture = mesh(monitor, window_px=window, picture_px=(640.0, 360.0))
    middle_px = places.reshape(-1, 4, 2).mean(1) * np.divide(window, 2)
    interpolated_px = (texture.reshape(-1, 4, 2).mean(1) - 0.5) * (640, 360)
    x_cm, y_cm = (middle_px * 50 / 640).T.astype(float)
    exact_cm = np.stack(warped(x_cm, y_cm, distance_cm=15.0, warp=warp), axis=-1)
    exact_px = exact_cm * 640 / 50 * [1, -1]
    assert np.abs(interpolated_px - exact_px).max() < 0.1


@pytest.mark.parametrize("warp", [Warp.NONE, *CURVED])
def test_a_protocol_has_the_directions_at_which_the_window_displays_its_pixels(warp: Warp) -> None:
    monitor = MonitorConfig(distance_cm=15.0, width_cm=50.0, warp=warp)
    geometry = Geometry.of(monitor, rows_px=36, cols_px=64)
    azimuth, altitude = np.radians(geometry.azimuth_deg), np.radians(geometry.altitude_deg)
    # where the direction of a pixel meets the monitor, the window displays this pixel
    x, y = 15.0 * np.tan(azimuth), 15.0 * np.tan(altitude) / np.cos(azimuth)
    shown = np.stack(warped(x, y, distance_cm=15.0, warp=warp))
    col, row = np.meshgrid(np.arange(64) - 31.5, np.arange(36) - 17.5)
    on_screen = (np.abs(azimuth) < np.pi / 2) & (np.abs(x) < 25.0) & (np.abs(y) < 14.0)
    assert on_screen.mean() > 0.4
    pixels = np.stack([col, -row]) * 50 / 64
    np.testing.assert_allclose(shown[:, on_screen], pixels[:, on_screen], atol=1e-6)


def test_without_warp_the_picture_fills_its_part_of_the_window() -> None:
    places, texture = mesh(None, window_px=(640, 480), picture_px=(640.0, 360.0))
    assert places.tolist() == [[-1, -0.75], [1, -0.75], [1, 0.75], [-1, 0.75]]
    assert texture.tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
