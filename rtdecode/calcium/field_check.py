"""Refuses a field of view that is not the one that reference image and rois show."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from rtdecode.calcium.register import Shift
from rtdecode.calcium.rois import Rois
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import FieldMismatchError

_SMOOTH_PX = 1.0
_LOCAL_PX = 10.0
"""Contrast is judged within about this distance: vessels and uneven light say nothing of cells."""
_AROUND_PX = 6.0
_EDGE_PX = 6
_FEWEST_MASKS = 20
"""Fewer rois on fewer pixels than these fit anywhere by chance."""
_SMALLEST_PX = 64
_SLACK_PX = 2
_SEARCH_PX = 16
_CLEAR_SD = 6.0
_CLEARER_SD = 3.0


class FieldCheck:
    """Compares the first scans of a run with what reference image and rois promise.

    Three things are asked for, in this order: that most scans have a place on the reference; that
    their mean looks like it (correlation of local contrast at least `config.min_field_r`: on real
    scans 0.8 a minute later, below 0.1 elsewhere); and that the rois lie on what is brighter than
    its surroundings (by `config.min_rois_sd`, from 20 rois on).
    """

    def __init__(
        self, config: CalciumConfig, *, rois: Rois, reference: NDArray[np.float32]
    ) -> None:
        self._config, self._rois, self._reference = config, rois, reference
        self._raw = np.zeros(rois.shape, np.float32)
        self._aligned = np.zeros(rois.shape, np.float32)
        self._doubtful = 0
        self.scans = 0
        """How many it has been given."""

    def add(self, pixels: NDArray[Any], moved: NDArray[np.float32], *, doubtful: bool) -> None:
        """Take one scan, as it came and (row, col) `moved` onto the reference."""
        self.scans += 1
        self._doubtful += doubtful
        self._raw += pixels
        if not doubtful:
            self._aligned += moved

    def judge(self) -> None:
        """Raise FieldMismatchError where what was added is not what was expected."""
        if 2 * self._doubtful > self.scans:
            self._refuse(
                f"{self._doubtful} of the first {self.scans} scans have no clear place on the "
                f"reference image",
                self._raw / max(1, self.scans),
            )
        seen = self._aligned / max(1, self.scans - self._doubtful)
        r = likeness(seen, self._reference, edge_px=math.ceil(self._config.max_shift_px) + 2)
        if r < self._config.min_field_r:
            self._refuse(
                f"the mean of the first {self.scans} scans has a correlation of {r:.2f} with the "
                f"reference image, at least {self._config.min_field_r:g} is expected: another "
                f"depth or another place",
                seen,
            )
        if why := misplaced(self._rois, seen, least_sd=self._config.min_rois_sd):
            self._refuse(why, seen)

    def _refuse(self, why: str, seen: NDArray[Any]) -> None:
        raise FieldMismatchError(
            why=why,
            reference_counts=self._reference,
            seen_counts=seen,
            footprint=self._rois.footprint(),
        )


def likeness(seen: NDArray[Any], reference: NDArray[Any], *, edge_px: int) -> float:
    """Correlation of the local contrast of two (row, col) images, their edges left out."""
    inner = tuple(slice(edge, -edge) for edge in (min(edge_px, s // 4) for s in seen.shape))
    one, other = (_standardised(_local_contrast(image)[inner]) for image in (seen, reference))
    return float((one * other).mean())


def misplaced(rois: Rois, image: NDArray[Any], *, least_sd: float) -> str:
    """What is wrong with the place of `rois` on the mean `image`; empty where nothing is.

    The local contrast of the image is correlated with the rois' own at all shifts; those of more
    than 16 px tell what chance gives. Rois pass with `least_sd` of that; 0 lets all pass.
    """
    if least_sd == 0 or rois.count < _FEWEST_MASKS or min(rois.shape) < _SMALLEST_PX:
        return ""
    fits_sd = _fits(rois, image)
    here = float(fits_sd[_within(_SLACK_PX)].max())
    near = fits_sd[_within(_SEARCH_PX)]
    row, col = (int(p) - _SEARCH_PX for p in np.unravel_index(near.argmax(), near.shape))
    best = float(near.max())
    if best >= _CLEAR_SD and best - here >= _CLEARER_SD:
        return (
            f"the rois fit {row:+d} rows and {col:+d} columns beside where they are "
            f"({best:.1f} sd there, {here:.1f} sd here)"
        )
    if here < least_sd:
        return (
            f"the {rois.count} rois lie on what is no brighter than its surroundings "
            f"({here:.1f} sd, at least {least_sd:g} is expected)"
        )
    return ""


def _fits(rois: Rois, image: NDArray[Any]) -> NDArray[np.float64]:
    """(row, col) how well rois fit, in sd of chance; the shift of 0 lies at 16, 16."""
    contrast = _local_contrast(image)
    edge = np.ones(rois.shape, bool)
    edge[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = False
    contrast[edge] = 0
    cells = np.zeros(rois.shape)
    cells.reshape(-1)[rois.pixels] = 1
    cells -= ndimage.gaussian_filter(cells, _AROUND_PX)
    spectrum = scipy.fft.rfft2(contrast) * scipy.fft.rfft2(cells).conj()
    fits = np.roll(scipy.fft.irfft2(spectrum, rois.shape), (_SEARCH_PX, _SEARCH_PX), (0, 1))
    chance = np.ones(rois.shape, bool)
    chance[: 2 * _SEARCH_PX + 1, : 2 * _SEARCH_PX + 1] = False
    scaled: NDArray[np.float64] = fits / (fits[chance].std() + 1e-12)
    return scaled


def _within(reach_px: int) -> tuple[slice, slice]:
    part = slice(_SEARCH_PX - reach_px, _SEARCH_PX + reach_px + 1)
    return part, part


def _standardised(image: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = (image - image.mean()) / (image.std() + 1e-12)
    return scaled


def _local_contrast(image: NDArray[Any]) -> NDArray[np.float64]:
    """Image less its surroundings, in units of how much it varies there."""
    smooth = ndimage.gaussian_filter(image.astype(np.float64), _SMOOTH_PX)
    smooth -= ndimage.gaussian_filter(smooth, _LOCAL_PX)
    spread: NDArray[np.float64] = np.sqrt(ndimage.gaussian_filter(smooth**2, _LOCAL_PX))
    contrast: NDArray[np.float64] = smooth / (spread + 1e-9 + 1e-6 * float(spread.max()))
    return contrast


class FieldGuard:
    """Watches the registration of each scan.

    A scan without a clear peak, or with its best shift at the edge of the search, is no
    measurement; after `lost_field_scans` of these in a row the field of view counts as lost,
    until as many scans in a row are clear again.
    """

    def __init__(self, config: CalciumConfig) -> None:
        self._least_peak_sd = config.min_peak_sd
        self._patience = config.lost_field_scans
        self._last = Shift(0.0, 0.0, 0.0, False)
        self._run = 0
        self.doubtful = False
        """Of the scan seen last."""
        self.lost = False

    def trusted(self, shift: Shift) -> Shift:
        """Give `shift`, or the last clear one with this scan's peak where `shift` is doubtful."""
        self.doubtful = shift.peak_sd < self._least_peak_sd or shift.at_edge
        self._run = self._run + 1 if self.doubtful != self.lost else 0
        if self._run >= self._patience:
            self.lost, self._run = self.doubtful, 0
        if self.doubtful:
            return replace(self._last, peak_sd=shift.peak_sd, at_edge=shift.at_edge)
        self._last = shift
        return shift
