"""What a screen and a frame rate can display, compared with the stimuli of a protocol.

Each mistake is one sentence: what was got, what is possible, and what to do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile
from typing import Self

from rtdecode.schema.config.protocol import (
    DriftingGrating,
    GaussianNoise,
    Movie,
    Protocol,
    SparseNoise,
    StaticGrating,
    Still,
    Stimulus,
)
from rtdecode.schema.config.stimulus import EMBEDDED_PX, StimulusConfig

Grating = StaticGrating | DriftingGrating
InDegrees = StaticGrating | DriftingGrating | GaussianNoise | SparseNoise
_NO_MONITOR = (
    "it is given in degrees of visual angle, and stimulus.monitor is not set: set distance_cm and "
    "width_cm of stimulus.monitor"
)
_ROUNDING = 1e-9

Location = tuple[str | int, ...]


def _dotted(where: Location) -> str:
    return ".".join(map(str, where))


@dataclass(frozen=True, slots=True)
class ScreenDegrees:
    """Visual angles of a screen, in degrees."""

    azimuth: float
    """Azimuth of its right edge; the left edge has the negative."""
    altitude: float
    """Altitude of its upper edge, above the centre."""
    pixel: float
    """Greatest angle between neighbouring pixels, in the middle of a flat screen."""

    @classmethod
    def of(cls, rows_px: int, cols_px: int, *, width_cm: float, distance_cm: float) -> Self:
        """Angles of a flat screen with square pixels.

        A warp changes neither: it is the identity in the middle, and crops what is off the screen.
        """
        half = width_cm / 2 / distance_cm
        sides = (half, half * rows_px / cols_px, half / cols_px)
        azimuth, altitude, half_pixel = (math.degrees(math.atan(side)) for side in sides)
        return cls(azimuth, altitude, 2 * half_pixel)

    @property
    def nyquist_cpd(self) -> float:
        """Highest spatial frequency that the pixels can show, in cycles per degree."""
        return 1 / (2 * self.pixel)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run can display.

    Parameters
    ----------
    screen
        None where no monitor is configured.
    clip_s
        Length of an embedded clip in s.
    """

    frame_rate_hz: float
    screen: ScreenDegrees | None
    embedded_clips: int
    clip_s: float
    size_px: tuple[int, int]

    @classmethod
    def of(cls, config: StimulusConfig, *, frame_rate_hz: float) -> Self:
        """Limits of a run with the stimulus settings `config`."""
        screen, monitor = None, config.monitor
        if monitor is not None:
            screen = ScreenDegrees.of(
                config.rows_px,
                config.cols_px,
                width_cm=monitor.width_cm,
                distance_cm=monitor.distance_cm,
            )
        size_px = (config.rows_px, config.cols_px)
        return cls(frame_rate_hz, screen, config.embedded_clips, config.clip_s, size_px)

    def mistakes(self, stimulus: Stimulus) -> Iterator[str]:
        """Why `stimulus`, one condition, cannot be displayed as it is."""
        if stimulus.duration_s is not None:
            yield from self._short("duration_s", stimulus.duration_s)
        if isinstance(stimulus, Movie | Still):
            yield from self._pictured(stimulus)
        elif isinstance(stimulus, InDegrees):
            if self.screen is None:
                yield _NO_MONITOR
                return
            yield from self._in_degrees(stimulus, self.screen)

    def protocol_mistakes(self, protocol: Protocol) -> dict[str, Location]:
        """All mistakes of all blocks, and where each is first found."""
        found: dict[str, Location] = {}
        for place, block in enumerate(protocol.blocks):
            where: Location = ("blocks", place)
            if block.interval_s:
                for mistake in self._short("interval_s", block.interval_s):
                    found.setdefault(f"{_dotted(where)}: {mistake}", where)
            for number, stimulus in enumerate(block.stimuli):
                there = (*where, "stimuli", number)
                name = f"{_dotted(there)} ({stimulus.label()})"
                for mistake in self._of_conditions(stimulus):
                    found.setdefault(f"{name}: {mistake}", there)
        return found

    def _of_conditions(self, stimulus: Stimulus) -> Iterator[str]:
        return (text for one in stimulus.conditions() for text in self.mistakes(one))

    def _short(self, key: str, seconds: float) -> Iterator[str]:
        frame_s = 1 / self.frame_rate_hz
        if seconds < frame_s - _ROUNDING:
            yield (
                f"{key} is {seconds:g} s, below one frame of {frame_s:.4g} s at "
                f"{self.frame_rate_hz:g} Hz: give at least one frame"
            )

    def _pictured(self, stimulus: Movie | Still) -> Iterator[str]:
        if stimulus.file is not None and not isfile(stimulus.file):
            yield f"file {stimulus.file} does not exist: give a video or an image"
        if stimulus.embedded is None:
            return
        if stimulus.embedded >= self.embedded_clips:
            yield (
                f"embedded is {stimulus.embedded}, but there are {self.embedded_clips} embedded "
                f"clips, from 0: give a lower number, or raise stimulus.embedded_clips"
            )
        if self.size_px != EMBEDDED_PX:
            rows, cols = self.size_px
            yield (
                f"embedded clips have 36 x 64 pixels, and stimulus.rows_px and cols_px are "
                f"{rows} x {cols}: leave these out, or give a file"
            )

    def _in_degrees(self, stimulus: InDegrees, screen: ScreenDegrees) -> Iterator[str]:
        if isinstance(stimulus, GaussianNoise):
            yield from _size("spatial_scale_deg", stimulus.spatial_scale_deg, screen)
            if stimulus.temporal_scale_s:
                yield from self._short("temporal_scale_s", stimulus.temporal_scale_s)
        elif isinstance(stimulus, SparseNoise):
            yield from _size("spot_deg", stimulus.spot_deg, screen)
            yield from self._short("frame_s", stimulus.frame_s)
        else:
            yield from self._grating(stimulus, screen)

    def _grating(self, grating: Grating, screen: ScreenDegrees) -> Iterator[str]:
        if grating.spatial_cpd >= screen.nyquist_cpd:
            yield (
                f"spatial_cpd is {grating.spatial_cpd:g}, but pixels of {screen.pixel:.3g} degrees "
                f"show less than {screen.nyquist_cpd:.3g} cycles per degree: lower it, or enlarge "
                f"distance_cm of stimulus.monitor"
            )
        if isinstance(grating, DriftingGrating) and grating.temporal_hz >= self.frame_rate_hz / 2:
            yield (
                f"temporal_hz is {grating.temporal_hz:g}, but a movie of {self.frame_rate_hz:g} Hz "
                f"shows less than {self.frame_rate_hz / 2:g} Hz: lower it, or raise frame_rate_hz"
            )
        for key, centre, edge in (
            ("azimuth_deg", grating.azimuth_deg, screen.azimuth),
            ("altitude_deg", grating.altitude_deg, screen.altitude),
        ):
            if abs(centre) > edge:
                yield (
                    f"{key} is {centre:g}, beyond the edge of the screen at {edge:.3g} degrees: "
                    f"give a centre on the screen"
                )
        yield from _size("size_deg", grating.size_deg, screen)


def _size(key: str, size_deg: float | None, screen: ScreenDegrees) -> Iterator[str]:
    if size_deg is None:
        return
    if size_deg > 2 * screen.azimuth:
        yield (
            f"{key} is {size_deg:g}, beyond the screen, which is {2 * screen.azimuth:.3g} degrees "
            f"wide: give a smaller size"
        )
    if size_deg < screen.pixel:
        yield (
            f"{key} is {size_deg:g}, below one pixel of {screen.pixel:.3g} degrees: give a greater "
            f"size"
        )
