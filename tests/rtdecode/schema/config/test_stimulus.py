"""Embedded clips have one size; the user's videos any."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rtdecode.schema.config.stimulus import EMBEDDED_PX, Display, Presenter, StimulusConfig
from stimulus.clips import COLS_PX, ROWS_PX


def test_the_embedded_size_is_that_of_the_embedded_clips() -> None:
    assert EMBEDDED_PX == (ROWS_PX, COLS_PX)
    assert (StimulusConfig().rows_px, StimulusConfig().cols_px) == EMBEDDED_PX


@pytest.mark.parametrize(("rows", "cols"), [(64, 36), (36, 63), (72, 128)])
def test_another_size_needs_clips_of_its_own(rows: int, cols: int) -> None:
    with pytest.raises(ValidationError, match=rf"got {rows} x {cols}.*set stimulus\.clips"):
        StimulusConfig(rows_px=rows, cols_px=cols)
    own = StimulusConfig(rows_px=rows, cols_px=cols, clips=Path("mine"))
    assert (own.rows_px, own.cols_px) == (rows, cols)


def test_names_in_a_file_become_choices() -> None:
    config = StimulusConfig.model_validate({"presenter": "headless", "display": "virtual"})
    assert config.presenter is Presenter.HEADLESS
    assert config.display is Display.VIRTUAL
    with pytest.raises(ValidationError, match="'psychopy' or 'headless'"):
        StimulusConfig.model_validate({"presenter": "matlab"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_px": [0, 360]},
        {"window_px": [640]},
        {"refresh_hz": -60},
        {"light_delay_ms": -1},
        {"fps": 30},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        StimulusConfig.model_validate(wrong)
