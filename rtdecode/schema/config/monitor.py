"""Monitor in front of the animal: geometry, gamma, warp, and the patch for a photodiode."""

from enum import StrEnum
from pathlib import Path

from rtdecode.schema.config.section import Index, Positive, Section


class Warp(StrEnum):
    """Projection of the movie onto the flat monitor."""

    NONE = "none"
    """The movie fills the window; degrees per pixel decrease towards its edges."""
    SPHERICAL = "spherical"
    """Equal distances from the centre of the movie are equal visual angles."""
    CYLINDRICAL = "cylindrical"
    """Columns of the movie have equal azimuth, rows equal elevation."""


class MonitorConfig(Section):
    """A flat monitor, whose centre the eye looks at perpendicularly."""

    distance_cm: Positive
    """Distance in cm from the eye to the centre of the monitor."""
    width_cm: Positive
    """Width in cm of the displayed picture."""
    gamma: Positive | Path | None = None
    """Exponent of the monitor (luminance over grey level), or a table of its luminances: the grey
    levels of the movie then are proportional to luminance. null sends them to the monitor as they
    are. The table is a text file with two columns, grey level and measured luminance, or with the
    256 grey levels to send in one column."""
    warp: Warp = Warp.NONE
    """Projection onto the monitor: none; spherical or cylindrical, which correct for the larger
    distance of its edges and crop the corners of the movie."""


class Corner(StrEnum):
    """Corner of the window."""

    UPPER_LEFT = "upper_left"
    UPPER_RIGHT = "upper_right"
    LOWER_LEFT = "lower_left"
    LOWER_RIGHT = "lower_right"


class PatchCode(StrEnum):
    """Sequence in which the patch is white or black, one value for each displayed frame."""

    CODED = "coded"
    """A pseudo-random sequence; 12 successive frames identify the frame among 4,095."""
    ALTERNATE = "alternate"
    """White and black alternate, so that each frame has an edge."""


class PatchConfig(Section):
    """A square in a corner of the window for a photodiode, drawn over the (warped) movie.

    Earlier configs have its size as `stimulus.sync_patch_px`, which is still read; their patch
    alternates.
    """

    size_px: Index = 40
    """Side in px of the window; 0 displays no patch."""
    corner: Corner = Corner.LOWER_RIGHT
    """Corner of the window in which the patch is."""
    code: PatchCode = PatchCode.CODED
    """Sequence of white and black: coded identifies the frames; alternate has an edge at each."""
