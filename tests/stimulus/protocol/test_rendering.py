"""Rendered frames have the frequencies, directions and correlations that their values state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.config.protocol import (
    Blank,
    DriftingGrating,
    GaussianNoise,
    Movie,
    SparseNoise,
    StaticGrating,
    Still,
    Stimulus,
)
from rtdecode.schema.errors import SettingMissingError
from rtdecode.schema.planned_trials import PlannedTrial
from stimulus.protocol.degrees import Geometry, pixel_degrees
from stimulus.protocol.gratings import GREY, grating_frames, grey_levels
from stimulus.protocol.noise import gaussian_noise_frames, sparse_noise_frames
from stimulus.protocol.rendering import rendered
from stimulus.warp import warped

RATE_HZ = 30.0
ROWS, COLS = 90, 160
WIDE = Geometry.of(MonitorConfig(distance_cm=15.0, width_cm=48.0), rows_px=ROWS, cols_px=COLS)
"""A monitor 116 degrees wide, on which degrees and pixels differ."""
FAR = Geometry.of(MonitorConfig(distance_cm=300.0, width_cm=96.0), rows_px=36, cols_px=64)
"""A monitor 18 degrees wide, whose pixels are almost equal in degrees."""
SEEDS = range(12)


def trial(stimulus: Stimulus, seed: int = 0) -> PlannedTrial:
    return PlannedTrial(0, "block", 0, stimulus, 0.0, False, (seed,))


def frames_of(stimulus: Stimulus, geometry: Geometry | None = WIDE, seed: int = 0) -> NDArray[Any]:
    rows, cols = (ROWS, COLS) if geometry is None else geometry.azimuth_deg.shape
    planned = trial(stimulus, seed)
    return rendered(
        planned,
        rows_px=rows,
        cols_px=cols,
        frame_rate_hz=RATE_HZ,
        geometry=geometry,
        rng=planned.generator(),
    )


def peak_cpd(luminance: NDArray[Any], degrees: NDArray[np.float64]) -> float:
    """Frequency of the largest Fourier component over unevenly spaced `degrees`."""
    tried = np.linspace(0.005, 0.3, 2000)
    values = (luminance - luminance.mean()) * np.gradient(degrees)
    spectrum = np.abs(np.exp(-2j * np.pi * tried[:, None] * degrees) @ values)
    return float(tried[spectrum.argmax()])


@pytest.mark.parametrize("spatial_cpd", [0.03, 0.05, 0.12])
def test_the_spatial_frequency_is_in_degrees_over_the_whole_screen(spatial_cpd: float) -> None:
    common = {"spatial_cpd": spatial_cpd, "duration_s": 0.1}
    across = frames_of(StaticGrating(**common))[0].astype(float)
    upward = frames_of(StaticGrating(**common, orientation_deg=90))[0].astype(float)
    middle_row, middle_col = ROWS // 2, COLS // 2
    span = 2 * WIDE.azimuth_deg.max()
    # a peak is known to a fraction of the reciprocal of the span
    width = 0.1 / span
    found = peak_cpd(across[middle_row], WIDE.azimuth_deg[middle_row])
    assert found == pytest.approx(spatial_cpd, abs=width)
    altitude = WIDE.altitude_deg[::-1, middle_col]
    found = peak_cpd(upward[::-1, middle_col], altitude)
    assert found == pytest.approx(spatial_cpd, abs=0.1 / (2 * altitude.max()))
    # off the middle row too, where a pixel has fewer degrees of altitude
    np.testing.assert_array_equal(across, np.broadcast_to(across[0], across.shape))


def test_pixels_of_the_edge_have_fewer_degrees_than_cycles_in_pixels_would_give() -> None:
    row = frames_of(StaticGrating(spatial_cpd=0.05, duration_s=0.1))[0][0].astype(float)
    crossings = np.flatnonzero(np.diff(np.sign(row - 127.5)))
    middle = np.abs(crossings - COLS / 2).argmin()
    gaps = np.diff(crossings)
    assert gaps[-1] > 1.8 * gaps[min(middle, gaps.size - 1)]


@pytest.mark.parametrize("temporal_hz", [0.5, 2.0, 7.5])
def test_the_temporal_frequency_is_in_hz(temporal_hz: float) -> None:
    stimulus = DriftingGrating(spatial_cpd=0.04, temporal_hz=temporal_hz, duration_s=4.0)
    series = frames_of(stimulus)[:, 10, 20].astype(float)
    spectrum = np.abs(np.fft.rfft(series - series.mean()))
    found = np.fft.rfftfreq(series.size, 1 / RATE_HZ)[spectrum.argmax()]
    assert found == pytest.approx(temporal_hz)


@given(orientation=st.floats(-180, 180))
@settings(max_examples=25, deadline=None)
def test_a_grating_varies_and_drifts_in_the_direction_of_its_orientation(
    orientation: float,
) -> None:
    stimulus = DriftingGrating(
        spatial_cpd=0.2, temporal_hz=1.0, duration_s=1.0, orientation_deg=orientation
    )
    frames = frames_of(stimulus, FAR).astype(float)
    pitch = FAR.azimuth_deg[18, 32] - FAR.azimuth_deg[18, 31]
    down, right = np.gradient(frames, pitch, axis=(1, 2))
    change = np.gradient(frames, axis=0)
    # the brightness is carried along: dL/dt = -v . grad L
    inner = np.s_[1:-1, 1:-1, 1:-1]
    matrix = np.stack([right[inner].ravel(), -down[inner].ravel()], axis=1)
    tensor = matrix.T @ matrix
    values, vectors = np.linalg.eigh(tensor)
    axis = vectors[:, values.argmax()]
    drift = -matrix.T @ change[inner].ravel()
    axis = axis * np.sign(axis @ drift)
    expected = np.radians(orientation)
    assert axis @ [np.cos(expected), np.sin(expected)] == pytest.approx(1, abs=1e-3)


def test_the_contrast_and_the_phase_are_those_of_the_stimulus() -> None:
    common = {"spatial_cpd": 0.04, "duration_s": 0.1}
    faint = frames_of(StaticGrating(**common, contrast=0.2))
    assert (faint.min(), faint.max()) == (102, 153)
    black = frames_of(StaticGrating(**common, contrast=0.0))
    assert set(np.unique(black)) == {128}
    crest = frames_of(StaticGrating(**common, phase_deg=90))[0]
    assert crest[ROWS // 2, COLS // 2] > 250


def test_a_square_wave_has_two_levels() -> None:
    square = frames_of(StaticGrating(spatial_cpd=0.04, duration_s=0.1, wave="square"))
    sine = frames_of(StaticGrating(spatial_cpd=0.04, duration_s=0.1))
    assert set(np.unique(square)) == {0, 255}
    np.testing.assert_array_equal(square > 128, sine > 128)


def test_a_patch_has_its_diameter_in_degrees_around_its_centre() -> None:
    patch = StaticGrating(
        spatial_cpd=0.1,
        duration_s=0.1,
        wave="square",
        size_deg=30,
        azimuth_deg=20,
        altitude_deg=-10,
    )
    inside = frames_of(patch)[0] != GREY
    # solid angle of a cap of 15 degrees, and of the screen
    fraction = WIDE.solid_angles()[inside].sum()
    half_width, half_height, distance = 24.0, 13.5, 15.0
    ratio = half_width * half_height
    norm = np.sqrt((half_width**2 + distance**2) * (half_height**2 + distance**2))
    screen = 4 * np.arcsin(ratio / norm)
    assert fraction == pytest.approx(2 * np.pi * (1 - np.cos(np.radians(15))) / screen, rel=0.02)
    rows, cols = np.nonzero(inside)
    assert WIDE.azimuth_deg[rows, cols].max() <= 20 + 15.5
    assert WIDE.altitude_deg[rows, cols].min() >= -10 - 15.0


def within_the_spread(found: list[float], expected: float, *, bias: float = 0.01) -> bool:
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    return bool(abs(np.mean(found) - expected) < 4 * error + bias)


def standardised(noise: GaussianNoise, geometry: Geometry, seed: int) -> NDArray[np.float64]:
    frames = frames_of(noise, geometry, seed).astype(float)
    return (frames - 127.5) / (127.5 * noise.contrast)


@pytest.mark.parametrize("scale_deg", [1.0, 3.0])
def test_noise_has_the_correlation_over_degrees_of_its_scale(scale_deg: float) -> None:
    noise = GaussianNoise(
        spatial_scale_deg=scale_deg, temporal_scale_s=0, duration_s=1.0, contrast=0.2
    )
    drawn = [standardised(noise, FAR, seed) for seed in SEEDS]
    assert within_the_spread([float(np.mean(one**2)) for one in drawn], 1.0, bias=0.02)
    assert within_the_spread([float(np.mean(one)) for one in drawn], 0.0)
    for lag in (2, 5, 10):
        across = np.diff(FAR.azimuth_deg[18])[31] * lag
        expected = np.exp(-0.5 * (across / scale_deg) ** 2)
        horizontal = [float(np.mean(one[..., lag:] * one[..., :-lag])) for one in drawn]
        vertical = [float(np.mean(one[:, lag:] * one[:, :-lag])) for one in drawn]
        assert within_the_spread(horizontal, expected)
        assert within_the_spread(vertical, expected)


@pytest.mark.parametrize("scale_s", [0.05, 0.2])
def test_noise_has_the_correlation_over_time_of_its_scale(scale_s: float) -> None:
    noise = GaussianNoise(
        spatial_scale_deg=1.0, temporal_scale_s=scale_s, duration_s=4.0, contrast=0.2
    )
    drawn = [standardised(noise, FAR, seed) for seed in SEEDS]
    assert within_the_spread([float(np.mean(one**2)) for one in drawn], 1.0, bias=0.02)
    for lag in (1, 3, 6, 12):
        expected = np.exp(-0.5 * (lag / RATE_HZ / scale_s) ** 2)
        found = [float(np.mean(one[lag:] * one[:-lag])) for one in drawn]
        assert within_the_spread(found, expected)


def test_noise_without_temporal_scale_is_drawn_anew_in_each_frame() -> None:
    noise = GaussianNoise(spatial_scale_deg=1.0, temporal_scale_s=0, duration_s=1.0, contrast=0.2)
    drawn = [standardised(noise, FAR, seed) for seed in SEEDS]
    assert within_the_spread([float(np.mean(one[1:] * one[:-1])) for one in drawn], 0.0)


def test_noise_on_a_near_screen_has_the_same_variance_everywhere() -> None:
    noise = GaussianNoise(spatial_scale_deg=6.0, temporal_scale_s=0, duration_s=2.0, contrast=0.2)
    power = np.stack([np.mean(standardised(noise, WIDE, seed) ** 2, axis=0) for seed in SEEDS])
    for part in (np.s_[:, :30, :50], np.s_[:, 30:60, 60:100], np.s_[:, 60:, 110:]):
        assert within_the_spread([float(one.mean()) for one in power[part]], 1.0, bias=0.02)


def test_noise_follows_from_the_generator_alone() -> None:
    noise = GaussianNoise(spatial_scale_deg=6.0, temporal_scale_s=0.1, duration_s=0.3)
    np.testing.assert_array_equal(frames_of(noise, seed=3), frames_of(noise, seed=3))
    assert (frames_of(noise, seed=3) != frames_of(noise, seed=4)).any()
    longer = noise.changed({"duration_s": 0.6})
    np.testing.assert_array_equal(frames_of(longer, seed=3)[:9], frames_of(noise, seed=3))


def test_sparse_spots_are_light_and_dark_in_proportion_and_uniform_over_the_field() -> None:
    noise = SparseNoise(spot_deg=2.0, frame_s=1 / 30, duration_s=10.0, light_fraction=0.25)
    light, right, middle = list[float](), list[float](), list[float]()
    inner = (np.abs(WIDE.azimuth_deg) < 20) & (np.abs(WIDE.altitude_deg) < 15)
    for seed in SEEDS:
        frames = frames_of(noise, seed=seed)
        spots = frames != GREY
        centres = np.array([np.mean(np.nonzero(one), axis=1) for one in spots])
        assert spots.any(axis=(1, 2)).all()
        light.append(float(np.mean((frames == 255).any(axis=(1, 2)))))
        right.append(float(np.mean(centres[:, 1] > COLS / 2 - 0.5)))
        rows, cols = np.rint(centres).astype(int).T
        middle.append(float(np.mean(inner[rows, cols])))
    assert within_the_spread(light, 0.25)
    assert within_the_spread(right, 0.5)
    assert within_the_spread(middle, float(WIDE.solid_angles()[inner].sum()))


def test_a_spot_has_its_diameter_and_stays_for_its_time() -> None:
    noise = SparseNoise(spot_deg=12.0, frame_s=0.2, duration_s=4.0, contrast=0.5)
    frames = frames_of(noise)
    changes = np.flatnonzero((np.diff(frames.astype(int), axis=0) != 0).any(axis=(1, 2))) + 1
    assert set(changes) <= set(range(6, 120, 6))
    assert len(changes) >= 18
    assert set(np.unique(frames)) <= {64, 128, 191}
    for spot in frames[::6] != GREY:
        row, col = np.rint(np.mean(np.nonzero(spot), axis=1)).astype(int)
        whole = 15 < row < ROWS - 15 and 25 < col < COLS - 25
        if whole:
            columns = np.flatnonzero(spot.any(axis=0))
            across = WIDE.azimuth_deg[row, columns.max()] - WIDE.azimuth_deg[row, columns.min()]
            assert across == pytest.approx(12.0, abs=1.7)


def test_several_spots_are_displayed_at_once() -> None:
    one = SparseNoise(spot_deg=8.0, frame_s=1 / 30, duration_s=4.0)
    covered = [np.mean(frames_of(one.changed({"spots": n})) != GREY) for n in (1, 4)]
    assert 2.5 < covered[1] / covered[0] < 4.2


def test_blanks_and_pictures_need_no_monitor() -> None:
    assert set(np.unique(frames_of(Blank(grey=7, duration_s=0.2), None))) == {7}
    with pytest.raises(SettingMissingError, match=r"stimulus\.monitor"):
        frames_of(StaticGrating(spatial_cpd=0.1, duration_s=1.0), None)


def pictured(stimulus: Movie | Still) -> NDArray[Any]:
    source: Callable[..., Any] = lambda _one: iter(np.arange(30, dtype=np.uint8).reshape(10, 1, 3))  # noqa: E731
    planned = trial(stimulus)
    return rendered(
        planned,
        rows_px=1,
        cols_px=3,
        frame_rate_hz=RATE_HZ,
        geometry=None,
        rng=planned.generator(),
        pictures=source,
    )


def test_a_movie_is_cut_at_its_duration_and_a_still_stays() -> None:
    assert pictured(Movie(file=Path("a.mp4"))).shape == (10, 1, 3)
    assert pictured(Movie(file=Path("a.mp4"), duration_s=0.1)).shape == (3, 1, 3)
    still = pictured(Still(file=Path("a.png"), duration_s=0.5))
    assert still.shape == (15, 1, 3)
    assert (still == [[0, 1, 2]]).all()


def test_the_generators_give_as_many_frames_as_asked() -> None:
    grating = StaticGrating(spatial_cpd=0.04, duration_s=9.0)
    assert len(list(grating_frames(grating, WIDE, frames=2, frame_rate_hz=30.0))) == 2
    rng = np.random.default_rng(0)
    noise = GaussianNoise(spatial_scale_deg=5, temporal_scale_s=1, duration_s=9.0)
    spots = SparseNoise(spot_deg=9, frame_s=1, duration_s=9.0)
    timing = {"frames": 2, "frame_rate_hz": 30.0, "rng": rng}
    assert len(list(gaussian_noise_frames(noise, WIDE, **timing))) == 2
    assert len(list(sparse_noise_frames(spots, WIDE, **timing))) == 2
    assert grey_levels(np.array([-2.0, 0.0, 2.0])).tolist() == [0, 128, 255]


def test_directions_agree_with_the_screen_in_cm() -> None:
    azimuth, altitude = pixel_degrees(ROWS, COLS, width_cm=48.0, distance_cm=15.0)
    x, y = 47.7 / 2 - 0.3 * np.arange(COLS), 13.35 - 0.3 * np.arange(ROWS)
    # angle between the directions of two points on the screen, by the cosine rule
    one, other = np.array([-x[30], y[70], 15.0]), np.array([-x[120], y[5], 15.0])
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    found = WIDE.angle_from(azimuth[70, 30], altitude[70, 30])[5, 120]
    assert found == pytest.approx(np.degrees(np.arccos(cosine)))


@pytest.mark.parametrize("warp", ["none", "spherical", "cylindrical"])
def test_directions_of_pixels_are_those_at_which_the_warped_monitor_displays_them(
    warp: str,
) -> None:
    monitor = MonitorConfig(distance_cm=15.0, width_cm=48.0, warp=warp)
    geometry = Geometry.of(monitor, rows_px=36, cols_px=64)
    visible = geometry.solid_angles() > 0
    azimuth, altitude = np.radians(geometry.azimuth_deg), np.radians(geometry.altitude_deg)
    # where the direction of a pixel meets the monitor, the monitor displays that pixel
    x_cm = 15.0 * np.tan(azimuth[visible])
    y_cm = 15.0 * np.tan(altitude[visible]) / np.cos(azimuth[visible])
    shown_x, shown_y = warped(x_cm, y_cm, distance_cm=15.0, warp=monitor.warp)
    rows, cols = np.nonzero(visible)
    np.testing.assert_allclose(shown_x / 0.75 + 31.5, cols, atol=1e-6)
    np.testing.assert_allclose(17.5 - shown_y / 0.75, rows, atol=1e-6)
    assert visible.all() if warp == "none" else 0.3 < visible.mean() < 0.8
