"""A picture shows each pixel sharply at its place, and words where there is nothing to show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtdecode.export.colours import error_colours, error_rgb, grey_rgb, uncertainty_rgb
from rtdecode.export.lettering import drawn_line, enlarged, outline, text_image, write
from rtdecode.export.moments import Moment
from rtdecode.export.panels import CAPTIONS, GROUND, INK, PANEL, Panels, Sentences, Trace

SHAPE = (6, 8)
SENTENCES = Sentences(lag="lag 8 frames (267 ms)", footer="Session s", score_window="last 10 s")
NO_SCORE = Trace(np.zeros(0), np.zeros(0), 0.0, 1.0)
SCORE = Trace(np.linspace(0, 10, 20), np.linspace(0.2, 0.9, 20), 0.0, 10.0)


def moment(t_s: float = 1.0, **without: None) -> Moment:
    rng = np.random.default_rng(0)
    values = {
        "displayed": rng.integers(0, 256, SHAPE).astype(np.uint8),
        "decoded": rng.uniform(-20, 280, SHAPE).astype(np.float32),
        "uncertainty": rng.uniform(0, 80, SHAPE).astype(np.float32),
    }
    return Moment(t_s=t_s, clip="clip", warm=True, video_r=0.5, **(values | without))


def panels(trace: Trace = NO_SCORE, mask: np.ndarray | None = None) -> Panels:
    return Panels(SHAPE, sentences=SENTENCES, trace=trace, mask=mask)


def panel(of: Panels, picture: np.ndarray, number: int) -> np.ndarray:
    (row, col), (height, width) = of.corner(number), of.panel_px
    return picture[row : row + height, col : col + width]


def test_each_panel_shows_each_pixel_as_a_square_of_its_colour() -> None:
    of, one = panels(), moment()
    picture = of.picture(one)
    assert one.displayed is not None
    assert one.decoded is not None
    assert one.uncertainty is not None
    expected = (
        grey_rgb(one.displayed),
        grey_rgb(one.decoded),
        error_rgb(one.displayed, one.decoded),
        uncertainty_rgb(one.uncertainty),
    )
    for number, colours in enumerate(expected):
        np.testing.assert_array_equal(
            panel(of, picture, number), enlarged(colours, of.scale), CAPTIONS[number]
        )


@given(rows=st.integers(1, 600), cols=st.integers(1, 700))
@settings(max_examples=50)
def test_sizes_are_even_and_the_panels_lie_within_and_apart(rows: int, cols: int) -> None:
    of = Panels((rows, cols), sentences=SENTENCES, trace=NO_SCORE)
    height, width = of.size
    assert height % 2 == width % 2 == 0
    corners = [of.corner(number)[1] for number in range(len(CAPTIONS))]
    assert (np.diff(corners) > of.panel_px[1]).all()
    assert corners[-1] + of.panel_px[1] < width
    assert of.corner(0)[0] + of.panel_px[0] < height
    assert width <= max(1920, 4 * cols + 200)


@pytest.mark.parametrize(
    ("without", "empty"),
    [("displayed", {0, 2}), ("decoded", {1, 2}), ("uncertainty", {3})],
)
def test_what_is_missing_is_stated_in_words(without: str, empty: set[int]) -> None:
    of = panels()
    picture = of.picture(moment(**{without: None}))
    for number in range(len(CAPTIONS)):
        shown = panel(of, picture, number)
        is_empty = (shown == PANEL).all(axis=-1).mean() > 0.5
        assert is_empty == (number in empty)
        assert not (shown == shown[0, 0]).all(), "no words"


def test_time_clip_and_score_change_the_head_alone() -> None:
    of = panels()
    one, other = of.picture(moment(1.0)), of.picture(moment(2.5))
    rows = np.flatnonzero((one != other).any(axis=(1, 2)))
    assert rows.size
    assert rows.max() < of.corner(0)[0]


def test_the_score_is_bright_up_to_the_present() -> None:
    of = panels(SCORE)
    below = of.corner(0)[0] + of.panel_px[0]
    early, late = (of.picture(moment(t_s))[below:].astype(int) for t_s in (2.0, 8.0))
    changed = np.flatnonzero((early != late).any(axis=(0, 2)))
    width = 2 * of.panel_px[1]
    assert width * 0.15 < changed.min() < width * 0.35
    assert width * 0.7 < changed.max() < width * 0.95
    assert late.sum() > early.sum()


def test_an_outline_lies_on_the_border_of_the_mask() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1:5, 2:6] = True
    of = panels(mask=mask)
    plain, outlined = panels().picture(moment()), of.picture(moment())
    for number in range(len(CAPTIONS)):
        before, shown = panel(of, plain, number), panel(of, outlined, number)
        drawn = (before != shown).any(axis=-1)
        assert (shown[drawn] == INK).all()
        inside = enlarged(mask, of.scale)
        assert not drawn[~inside].any()
        assert not drawn[2 * of.scale : 4 * of.scale, 3 * of.scale : 5 * of.scale].any()
        assert drawn[of.scale, 2 * of.scale + 5]


def test_an_outline_of_the_whole_screen_is_its_border() -> None:
    border = outline(np.ones((20, 30), bool))
    assert border[[0, 1, -2, -1]].all()
    assert border[:, [0, 1, -2, -1]].all()
    assert not border[2:-2, 2:-2].any()


def test_texts_that_reach_beyond_the_picture_are_cut() -> None:
    picture = np.full((20, 60, 3), GROUND, np.uint8)
    end = write(picture, (4, 40), "a long text", 16, INK)
    assert end == 40 + text_image("a long text", 16).shape[1]
    start = write(picture, (4, 20), "another one", 16, INK, right=True)
    assert start < 0
    assert (picture != GROUND).any()


def test_a_line_is_where_its_points_are_and_stops_where_they_are_unknown() -> None:
    x = np.linspace(0, 1, 101)
    y = np.where(x < 0.5, 1.0, np.nan)
    cover = drawn_line(21, 101, x, y, thickness=2)
    assert cover[:4, 5:45].max(axis=0).min() > 0.9
    assert cover[5:].max() == 0
    assert cover[:, 55:].max() == 0


def test_equal_frames_have_no_error() -> None:
    one = moment()
    same = Moment(1.0, one.displayed, "clip", one.displayed.astype(np.float32), None, True, 0.5)
    of = panels()
    assert (panel(of, of.picture(same), 2) == error_colours()[255]).all()
