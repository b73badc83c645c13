"""Protocols: refused values, conditions, order of trials, and what a screen can display."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.config.protocol import Block, Protocol
from rtdecode.schema.config.stimuli import (
    Blank,
    DriftingGrating,
    GaussianNoise,
    Movie,
    SparseNoise,
    StaticGrating,
    Still,
    Stimulus,
)
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.planned_trials import planned_frames, planned_trials, shuffled_rounds
from rtdecode.schema.protocol_limits import Limits, ScreenDegrees
from rtdecode.schema.visual_degrees import pixel_degrees

MONITOR = MonitorConfig(distance_cm=15.0, width_cm=48.0)
LIMITS = Limits.of(StimulusConfig(monitor=MONITOR, embedded_clips=3), frame_rate_hz=30.0)


def greys(*levels: int) -> tuple[Stimulus, ...]:
    return tuple(Blank(grey=grey, duration_s=1.0) for grey in levels)


def grating(**changed: Any) -> DriftingGrating:
    return DriftingGrating(**{"spatial_cpd": 0.04, "temporal_hz": 2.0, "duration_s": 1.0} | changed)


# the planes of the sphere and the screen meet at these angles: tan(45) = 1
def test_angles_of_a_screen_as_wide_as_twice_its_distance() -> None:
    azimuth, altitude = pixel_degrees(3, 1001, width_cm=20.0, distance_cm=10.0)
    assert azimuth.max() == pytest.approx(45.0, abs=0.03)
    assert azimuth[:, 500] == pytest.approx(0.0)
    assert altitude[1] == pytest.approx(0.0)
    # in the middle one pixel up is atan(pitch / distance); at the edge the distance is longer
    assert altitude[0, 500] == pytest.approx(np.degrees(np.arctan(0.02 / 10)), rel=1e-3)
    assert altitude[0, 1000] == pytest.approx(altitude[0, 500] / np.sqrt(2), rel=1e-3)


@given(rows=st.integers(1, 20), cols=st.integers(1, 20), width=st.floats(1, 200))
def test_angles_are_symmetric_and_monotonic(rows: int, cols: int, width: float) -> None:
    azimuth, altitude = pixel_degrees(rows, cols, width_cm=width, distance_cm=10.0)
    np.testing.assert_allclose(azimuth, -azimuth[:, ::-1], atol=1e-9)
    np.testing.assert_allclose(altitude, -altitude[::-1], atol=1e-9)
    assert (np.diff(azimuth, axis=1) > 0).all()
    assert (np.diff(altitude, axis=0) < 0).all()


@given(
    levels=st.lists(st.integers(0, 255), min_size=2, max_size=6, unique=True),
    repeats=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_random_order_has_each_condition_once_a_repeat_and_none_twice_in_a_row(
    levels: list[int], repeats: int, seed: int
) -> None:
    block = Block(stimuli=greys(*levels), repeats=repeats, order="random")
    trials = list(planned_trials(Protocol(seed=seed, blocks=(block,))))
    assert [trial.number for trial in trials] == list(range(repeats * len(levels)))
    assert all(one.stimulus != other.stimulus for one, other in pairwise(trials))
    for repeat in range(repeats):
        shown = [trial.parameters["grey"] for trial in trials if trial.repeat == repeat]
        assert sorted(shown) == sorted(levels)


def test_the_order_follows_from_the_seeds_alone() -> None:
    def order(protocol_seed: int, **block: Any) -> list[float]:
        made = Block(stimuli=greys(*range(8)), repeats=3, order="random", **block)
        protocol = Protocol(seed=protocol_seed, blocks=(made,))
        return [trial.parameters["grey"] for trial in planned_trials(protocol)]

    assert order(1) == order(1) != order(2)
    assert order(1, seed=5) == order(2, seed=5) != order(1)


def test_blocks_with_the_same_stimuli_have_orders_of_their_own() -> None:
    block = Block(stimuli=greys(*range(8)), order="random")
    trials = list(planned_trials(Protocol(blocks=(block, block))))
    levels = [trial.parameters["grey"] for trial in trials]
    assert levels[:8] != levels[8:]
    assert [trial.block for trial in trials] == ["block 0"] * 8 + ["block 1"] * 8


def test_sequential_order_is_that_of_the_file() -> None:
    block = Block(stimuli=greys(1, 2), repeats=2, interval_s=0.5, wait_for_trigger=True)
    trials = list(planned_trials(Protocol(blocks=(block,))))
    assert [trial.parameters["grey"] for trial in trials] == [1, 2, 1, 2]
    assert [trial.waits for trial in trials] == [True, False, False, False]
    assert [trial.interval_s for trial in trials] == [0.5] * 4


def test_every_combination_of_varied_values_is_a_condition() -> None:
    stimulus = grating(vary={"contrast": (0.5, 1), "orientation_deg": (0, 90, 180)})
    conditions = stimulus.conditions()
    found = [(one.contrast, one.orientation_deg) for one in conditions]
    assert found == [(0.5, 0), (0.5, 90), (0.5, 180), (1, 0), (1, 90), (1, 180)]
    assert [one.conditions() for one in conditions] == [(one,) for one in conditions]


def test_frames_that_differ_have_different_names() -> None:
    noise = {"spatial_scale_deg": 5.0, "temporal_scale_s": 0.1, "duration_s": 1.0}
    stimuli = (
        grating(name="a", vary={"orientation_deg": (0, 90), "wave": ("sine",)}),
        Movie(vary={"embedded": (0, 2)}),
        GaussianNoise(**noise, contrast=0.5),
        GaussianNoise(**noise, seed=4),
    )
    trials = list(planned_trials(Protocol(blocks=(Block(stimuli=stimuli, repeats=2),))))
    names = [trial.clip() for trial in trials]
    assert names[:6] == [
        "a orientation_deg=0 wave=sine",
        "a orientation_deg=90 wave=sine",
        "embedded-0",
        "embedded-2",
        "gaussian_noise spatial_scale_deg=5 temporal_scale_s=0.1 contrast=0.5 trial=4",
        "gaussian_noise seed=4 spatial_scale_deg=5 temporal_scale_s=0.1",
    ]
    assert names[6:10] == names[:4]
    assert names[10] == names[4].replace("trial=4", "trial=10")
    assert trials[0].clip(["contrast"]) == "a orientation_deg=0 wave=sine contrast=1"


def test_a_key_that_is_varied_need_not_be_given() -> None:
    stimulus = StaticGrating(duration_s=1, vary={"spatial_cpd": (0.02, 0.04)})
    assert [one.spatial_cpd for one in stimulus.conditions()] == [0.02, 0.04]
    assert [one.embedded for one in Movie(vary={"embedded": (1, 3)}).conditions()] == [1, 3]


def test_repeats_of_a_movie_are_trials_in_a_row_without_interval() -> None:
    block = Block(stimuli=(Movie(embedded=0, repeats=3), *greys(9)), interval_s=1.0)
    trials = list(planned_trials(Protocol(blocks=(block,))))
    assert [trial.name for trial in trials] == ["embedded-0"] * 3 + ["blank"]
    assert [trial.interval_s for trial in trials] == [0.0, 0.0, 1.0, 1.0]


def test_noise_of_a_trial_is_new_unless_it_has_a_seed() -> None:
    noise = {"spatial_scale_deg": 5.0, "temporal_scale_s": 0.1, "duration_s": 1.0}
    stimuli = (GaussianNoise(**noise), GaussianNoise(**noise, seed=4))
    trials = list(planned_trials(Protocol(blocks=(Block(stimuli=stimuli, repeats=2),))))
    drawn = [trial.generator().random() for trial in trials]
    assert len(set(drawn)) == 3
    assert drawn[1] == drawn[3]


def test_durations_are_whole_frames() -> None:
    blank = Blank(duration_s=0.51)
    assert planned_frames(blank, frame_rate_hz=30.0) == 15
    assert planned_frames(Movie(embedded=0), frame_rate_hz=30.0) is None
    assert list(shuffled_rounds([], seed=(1, 2))) == []


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (lambda: Block(stimuli=()), "list of stimuli is empty"),
        (lambda: Protocol(blocks=()), "list of blocks is empty"),
        (lambda: Protocol(blocks=(Block(name="a", stimuli=greys(1)),) * 2), "two blocks are named"),
        (
            lambda: Protocol(
                blocks=(Block(stimuli=tuple(grating(name="a", contrast=c) for c in (0.1, 0.2))),)
            ),
            "two stimuli that differ have the name 'a'",
        ),
        (lambda: Protocol(blocks=(Block(stimuli=greys(1), repeats=2_000_000),)), "2000000 trials"),
        (lambda: Blank(duration_s=1, vary={"grey": (1,) * 200, "duration_s": (1,) * 200}), "40000"),
        (lambda: Blank(duration_s=0), "greater than 0"),
        (lambda: Blank(duration_s=float("inf")), "less than or equal to 86400"),
        (lambda: Movie(), "either file or embedded, got neither"),
        (lambda: Still(file=Path("a"), embedded=0, duration_s=1), "got both"),
        (lambda: grating(contrast=1.2), "less than or equal to 1"),
        (lambda: StaticGrating(duration_s=1, vary={"contrast": (1,)}), "spatial_cpd\n  Field"),
        (lambda: grating(vary={"contrast": ()}), "vary.contrast is empty"),
        (lambda: grating(vary={"colour": (1,)}), "vary.colour is no key of this stimulus"),
        (lambda: grating(vary={"contrast": (0.5, 7)}), "vary: contrast: Input should be less"),
        (lambda: Block(stimuli=greys(3, 3), order="random"), "blank is listed twice"),
    ],
)
def test_impossible_values_are_refused_by_name(made: Any, part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        made()


@pytest.mark.parametrize(
    ("stimulus", "part"),
    [
        (grating(duration_s=0.02), "duration_s is 0.02 s, below one frame of 0.03333 s at 30 Hz"),
        (grating(spatial_cpd=0.2), "spatial_cpd is 0.2, but pixels of 2.86 degrees show less than"),
        (grating(temporal_hz=15), "temporal_hz is 15, but a movie of 30 Hz shows less than 15 Hz"),
        (grating(size_deg=130), "size_deg is 130, beyond the screen, which is 116 degrees wide"),
        (grating(size_deg=1), "size_deg is 1, below one pixel"),
        (grating(azimuth_deg=-60), "azimuth_deg is -60, beyond the edge of the screen at 58"),
        (grating(altitude_deg=45), "altitude_deg is 45, beyond the edge of the screen at 42"),
        (Movie(embedded=3), "embedded is 3, but there are 3 embedded clips"),
        (Movie(file=Path("/none.mp4")), "file /none.mp4 does not exist"),
        (
            SparseNoise(spot_deg=1, frame_s=0.01, duration_s=1),
            "spot_deg is 1, below one pixel|frame_s is 0.01 s, below one frame",
        ),
        (
            GaussianNoise(spatial_scale_deg=200, temporal_scale_s=0.01, duration_s=1),
            "spatial_scale_deg is 200, beyond the screen|temporal_scale_s is 0.01 s, below",
        ),
    ],
)
def test_what_the_screen_cannot_display_is_one_sentence(stimulus: Stimulus, part: str) -> None:
    found = list(LIMITS.mistakes(stimulus))
    parts = part.split("|")
    assert len(found) == len(parts)
    for mistake, expected in zip(found, parts, strict=True):
        assert expected in mistake
        assert "give" in mistake or "lower" in mistake


def test_stimuli_at_the_limits_are_accepted() -> None:
    screen = LIMITS.screen
    assert screen is not None
    for stimulus in (
        grating(spatial_cpd=0.99 * screen.nyquist_cpd, temporal_hz=14.9, duration_s=1 / 30),
        grating(size_deg=2 * screen.azimuth, azimuth_deg=screen.azimuth),
        GaussianNoise(spatial_scale_deg=screen.pixel, temporal_scale_s=0, duration_s=1),
        StaticGrating(spatial_cpd=0.01, duration_s=1),
    ):
        assert list(LIMITS.mistakes(stimulus)) == []


def test_degrees_without_a_monitor_name_the_setting() -> None:
    limits = Limits.of(StimulusConfig(), frame_rate_hz=30.0)
    (mistake,) = limits.mistakes(grating())
    assert "set distance_cm and width_cm of stimulus.monitor" in mistake
    assert list(limits.mistakes(Blank(duration_s=1))) == []


def test_embedded_clips_need_their_own_size() -> None:
    config = StimulusConfig(protocol=Path("p.yaml"), rows_px=10, cols_px=20)
    (mistake,) = Limits.of(config, frame_rate_hz=30.0).mistakes(Movie(embedded=0))
    assert "embedded clips have 36 x 64 pixels" in mistake


def test_a_mistake_has_its_place_and_is_given_once() -> None:
    fast = grating(temporal_hz=20, vary={"orientation_deg": (0, 90)})
    blocks = (Block(stimuli=greys(1)), Block(stimuli=(*greys(1), fast), interval_s=0.01))
    found = LIMITS.protocol_mistakes(Protocol(blocks=blocks))
    assert list(found.values()) == [("blocks", 1), ("blocks", 1, "stimuli", 1)]
    assert [text.split(":")[0] for text in found] == [
        "blocks.1",
        "blocks.1.stimuli.1 (drifting_grating)",
    ]


def test_the_greatest_pixel_is_in_the_middle() -> None:
    screen = ScreenDegrees.of(36, 64, width_cm=48.0, distance_cm=15.0)
    assert screen.pixel == pytest.approx(2 * np.degrees(np.arctan(0.375 / 15)))
    one = ScreenDegrees.of(1, 1, width_cm=10.0, distance_cm=10.0)
    assert one.pixel == pytest.approx(2 * one.azimuth)
