"""What the page draws over the pictures: the screen mask, and the visual angles of pixels."""

import base64
import logging
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import BadInputError
from rtdecode.schema.visual_degrees import pixel_degrees

log = logging.getLogger(__name__)
_DIGITS = 2


@dataclass(frozen=True, slots=True, eq=False)
class ScreenFacts:
    """Screen mask and visual angles of a run; None where the config does not state them."""

    mask: NDArray[np.bool_] | None = None
    """(row, col) True for scored pixels."""
    azimuth_deg: NDArray[np.float64] | None = None
    """(col,) azimuth of each column in the middle row, in degrees; rightward is positive."""
    altitude_deg: NDArray[np.float64] | None = None
    """(row,) altitude of each row in the middle column, in degrees; upward is positive."""

    @classmethod
    def of(cls, config: RunConfig) -> Self:
        """The facts in `config`; without the mask where its file is not on this computer."""
        rows, cols, monitor = (
            config.stimulus.rows_px,
            config.stimulus.cols_px,
            config.stimulus.monitor,
        )
        if monitor is None:
            return cls(_mask(config))
        azimuth, altitude = pixel_degrees(
            rows,
            cols,
            width_cm=monitor.width_cm,
            distance_cm=monitor.distance_cm,
            warp=monitor.warp,
        )
        return cls(_mask(config), azimuth[rows // 2], altitude[:, cols // 2])

    def as_json(self) -> dict[str, Any]:
        """The facts for `static/picture_tools.js`; the mask as base64 of one bit a pixel."""
        mask = degrees = None
        if self.mask is not None:
            rows, cols = self.mask.shape
            bits = base64.b64encode(np.packbits(self.mask).tobytes()).decode("ascii")
            mask = {"rows": rows, "cols": cols, "bits": bits}
        if self.azimuth_deg is not None and self.altitude_deg is not None:
            named = {"azimuth": self.azimuth_deg, "altitude": self.altitude_deg}
            degrees = {name: angles.round(_DIGITS).tolist() for name, angles in named.items()}
        return {"mask": mask, "degrees": degrees}


def _mask(config: RunConfig) -> NDArray[np.bool_] | None:
    if config.evaluate.screen_mask is None:
        return None
    try:
        return scoring_mask(config)
    except BadInputError as error:
        # a page on another computer than evaluate is displayed without the outline
        log.info("no outline of the screen mask: %s", error)
        return None
