"""Stimuli of a protocol as frozen values, and the conditions that each of them gives.

>>> grating = DriftingGrating(spatial_cpd=0.05, temporal_hz=2.0, vary={"orientation_deg": (0, 90)},
...                           duration_s=1.0)
>>> [one.parameters()["orientation_deg"] for one in grating.conditions()]
[0.0, 90.0]
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from rtdecode.schema.config.section import (
    Count,
    Fraction,
    Index,
    NotNegative,
    Positive,
    Section,
)

Degrees = Annotated[float, Field(ge=-360, le=360)]
Grey = Annotated[int, Field(ge=0, le=255)]
Spots = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
"""At most a day."""
_MOST_CONDITIONS = 10_000


class Wave(StrEnum):
    """Profile of a grating."""

    SINE = "sine"
    SQUARE = "square"


_SAME_FRAMES = ("kind", "name", "vary", "duration_s", "repeats")
"""Keys that change no frame of a stimulus of a kind."""


class _Stimulus(Section):
    """What all stimuli of a protocol have."""

    # descriptions of fields go into the table of trials
    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str = ""
    """Name in the trial table; by default that of the file, or the kind."""
    vary: dict[str, tuple[float | str, ...]] = Field(default={})
    """Values of other keys of this stimulus: each combination is a condition of the block, for
    example `orientation_deg: [0, 45, 90, 135]`. A key that is varied need not be given itself."""

    @property
    def presentations(self) -> int:
        """Trials in a row that one condition gives."""
        return 1

    def label(self) -> str:
        """Name in the trial table."""
        return self.name or str(getattr(self, "kind", ""))

    def parameters(self) -> dict[str, float]:
        """Numbers of this stimulus by name with unit; those that are not set are left out."""
        given = self.model_dump(exclude={"kind", "name", "vary", "repeats"})
        return {key: float(value) for key, value in given.items() if _is_number(value)}

    def changed(self, values: dict[str, Any]) -> Self:
        """The same stimulus with other `values`, which are checked; pydantic.ValidationError."""
        return type(self).model_validate(self.model_dump(exclude_unset=True) | values)

    def conditions(self) -> tuple[Self, ...]:
        """One stimulus for each combination of the values in `vary`, the last key fastest.

        `vary` of a condition has its own values alone.
        """
        single = self.changed({"vary": {}})
        named = (dict(zip(self.vary, one, strict=True)) for one in product(*self.vary.values()))
        return tuple(
            single.changed(values).model_copy(update={"vary": {k: (v,) for k, v in values.items()}})
            for values in named
        )

    def clip(self, changed: Iterable[str] = ()) -> str:
        """Name of its frames: the label, with the values that vary and those that were `changed`.

        Without a name of its own it has all values that are not the default of their key, but for
        the duration, which changes no frame.
        """
        fields = type(self).model_fields
        own = [] if self.name else [key for key in fields if self._is_set(key)]
        keys = dict.fromkeys([*self.vary, *own, *changed])
        named = [key for key in keys if self.name or key not in ("file", "embedded")]
        return " ".join([self.label(), *(f"{key}={_text(getattr(self, key))}" for key in named)])

    def _is_set(self, key: str) -> bool:
        is_default = getattr(self, key) == type(self).model_fields[key].default
        return not is_default and key not in _SAME_FRAMES

    @model_validator(mode="before")
    @classmethod
    def _with_first_values(cls, given: Any) -> Any:
        """`given` with the first value of each key that is varied and not given itself."""
        vary = given.get("vary") if isinstance(given, Mapping) else None
        if not isinstance(vary, Mapping):
            return given
        first = {key: values[0] for key, values in vary.items() if _is_list(values) and values}
        return {**{key: one for key, one in first.items() if key in cls.model_fields}, **given}

    @model_validator(mode="after")
    def _conditions_are_valid(self) -> Self:
        for key, values in self.vary.items():
            if key not in type(self).model_fields or key in ("kind", "name", "vary"):
                keys = [one for one in type(self).model_fields if one not in ("kind", "vary")]
                raise ValueError(f"vary.{key} is no key of this stimulus: {', '.join(keys)}")
            if not values:
                raise ValueError(f"vary.{key} is empty: list at least one value, or leave it out")
        if (count := math.prod(map(len, self.vary.values()))) > _MOST_CONDITIONS:
            raise ValueError(
                f"vary gives {count} conditions: at most {_MOST_CONDITIONS} can be had"
            )
        if self.vary:
            _checked_conditions(self)
        return self


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(value: Any) -> str:
    if isinstance(value, Path):
        return value.name
    return f"{value:g}" if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_conditions(stimulus: _Stimulus) -> None:
    try:
        stimulus.conditions()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "this stimulus"
        got = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"vary: {key}: {got}, got {first['input']!r:.60}") from error


class _Timed(_Stimulus):
    duration_s: Seconds
    """Time in s for which it is displayed, at least one frame."""


class Blank(_Timed):
    """A uniform screen."""

    kind: Literal["blank"] = "blank"
    """A uniform screen."""
    grey: Grey = 128
    """Grey level."""


class _Pictured(_Stimulus):
    file: Path | None = None
    """File to display."""
    embedded: Index | None = None
    """Number of an embedded clip, from 0, instead of a file; `stimulus.embedded_clips` and
    `stimulus.seed` say which clips there are."""

    def label(self) -> str:
        """Name in the trial table: the file's, where no other is given."""
        picture = self.file.name if self.file is not None else f"embedded-{self.embedded}"
        return self.name or picture

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.embedded is None):
            got = "neither" if self.file is None else "both"
            raise ValueError(f"give either file or embedded, got {got}")
        return self


class Movie(_Pictured):
    """A movie at the frame rate of the run, from a file that ffmpeg reads or an embedded clip."""

    kind: Literal["movie"] = "movie"
    """A movie."""
    duration_s: Seconds | None = None
    """Time in s after which it is cut; null displays it in full length."""
    repeats: Count = 1
    """Presentations in a row, without interval; each is a trial."""

    @property
    def presentations(self) -> int:
        """As `repeats`."""
        return self.repeats


class Still(_Pictured):
    """A still image, from a file that ffmpeg reads or the first frame of an embedded clip."""

    kind: Literal["still"] = "still"
    """A flashed still image."""
    duration_s: Seconds
    """Time in s for which it is displayed, at least one frame."""


class _Grating(_Timed):
    orientation_deg: Degrees = 0.0
    """Direction in which the luminance varies, counter-clockwise from rightward; the bars are
    perpendicular to it. A drifting grating moves in this direction."""
    spatial_cpd: Positive
    """Spatial frequency in cycles per degree of visual angle."""
    contrast: Fraction = 1.0
    """Michelson contrast around the middle grey level."""
    phase_deg: Degrees = 0.0
    """Phase in the centre of the screen; 0 rises through the middle grey level."""
    wave: Wave = Wave.SINE
    """Profile of the luminance."""
    size_deg: Positive | None = None
    """Diameter of the patch in degrees, on grey 128; null fills the screen."""
    azimuth_deg: Degrees = 0.0
    """Azimuth of the centre of the patch, rightward."""
    altitude_deg: Degrees = 0.0
    """Altitude of the centre of the patch, upward."""


class StaticGrating(_Grating):
    """A grating, constant in degrees of visual angle, in the whole field or in a round patch."""

    kind: Literal["static_grating"] = "static_grating"
    """A grating that stands still."""


class DriftingGrating(_Grating):
    """A grating that drifts in the direction of `orientation_deg`."""

    kind: Literal["drifting_grating"] = "drifting_grating"
    """A grating that drifts."""
    temporal_hz: Positive
    """Temporal frequency in Hz."""


class _Noise(_Timed):
    seed: Index | None = None
    """Seed with which every trial displays the same noise; null draws other noise in each trial,
    from the seed of the block."""


class GaussianNoise(_Noise):
    """Gaussian noise whose correlation falls as a Gaussian of visual angle and of time."""

    kind: Literal["gaussian_noise"] = "gaussian_noise"
    """Noise by spatial and temporal scale."""
    spatial_scale_deg: Positive
    """Distance in degrees at which the correlation has fallen to exp(-1/2) = 0.61."""
    temporal_scale_s: NotNegative
    """Time in s at which the correlation has fallen to 0.61; 0 draws each frame anew."""
    contrast: Fraction = 0.35
    """Standard deviation as a fraction of the middle grey level; values beyond black and white are
    clipped."""


class SparseNoise(_Noise):
    """Round spots at random positions, uniform over the visual field of the screen."""

    kind: Literal["sparse_noise"] = "sparse_noise"
    """Spots at random positions."""
    spot_deg: Positive
    """Diameter of a spot in degrees."""
    spots: Spots = 1
    """Spots displayed at once; a later one covers an earlier one."""
    light_fraction: Fraction = 0.5
    """Fraction of spots that are light; the others are dark."""
    contrast: Fraction = 1.0
    """Difference of a spot from the middle grey level, as a fraction of it."""
    frame_s: Seconds
    """Time in s after which the spots change, at least one frame of the movie."""


Stimulus = Blank | Movie | Still | StaticGrating | DriftingGrating | GaussianNoise | SparseNoise
