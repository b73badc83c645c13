"""Checks that scans show the field of view of reference and ROIs, for the calcium stage."""

import math
from collections.abc import Iterator, Sequence
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
from rtdecode.schema.messages import Event

_SMOOTH_PX = 1.0
_LOCAL_PX = 10.0
"""SD of the local normalisation, which removes vessels and uneven illumination."""
_AROUND_PX = 6.0
_EDGE_PX = 6
_FEWEST_ROIS = 20
"""Fewer ROIs on a smaller field than this match anywhere by chance, and are not checked."""
_SMALLEST_PX = 64
_SLACK_PX = 2
_SEARCH_PX = 16
_CLEAR_SD = 6.0
_CLEARER_SD = 3.0
_LIT_PER_MILLE = 1
_DARK_CONTRAST = 4
_LIT_SCANS = 3
_REPORTED_SCANS = 30


class FieldCheck:
    """Compares the first scans of a run with the reference image and the ROIs.

    Three conditions are checked in this order: at least half of the scans register onto the
    reference; the local contrast of their mean correlates with that of the reference by at least
    `config.min_field_r` (recorded scans: 0.8 one minute later, below 0.1 in other fields); and 20
    or more ROIs lie on pixels brighter than their surroundings (`config.min_rois_sd`).
    """

    def __init__(
        self, config: CalciumConfig, *, rois: Rois, reference: NDArray[np.float32]
    ) -> None:
        self._config, self._rois, self._reference = config, rois, reference
        self._raw = np.zeros(rois.shape, np.float32)
        self._aligned = np.zeros(rois.shape, np.float32)
        self._rejected = 0
        self.scans = 0
        """Number of scans added."""

    def add(self, pixels: NDArray[Any], moved: NDArray[np.float32], *, rejected: bool) -> None:
        """Add one scan, (row, col) counts, both raw and `moved` onto the reference."""
        self.scans += 1
        self._rejected += rejected
        self._raw += pixels
        if not rejected:
            self._aligned += moved

    def check(self) -> None:
        """Raise FieldMismatchError if the added scans violate one of the conditions."""
        if 2 * self._rejected > self.scans:
            raw = self._raw / max(1, self.scans)
            self._refuse(
                f"{self._rejected} of the first {self.scans} scans cannot be registered onto "
                f"the reference image{_darkness(self._reference, raw)}",
                raw,
            )
        seen = self._aligned / max(1, self.scans - self._rejected)
        r = local_contrast_correlation(
            seen, self._reference, edge_px=math.ceil(self._config.max_shift_px) + 2
        )
        if r < self._config.min_field_r:
            self._refuse(
                f"the mean of the first {self.scans} scans has a correlation of {r:.2f} with the "
                f"reference image, at least {self._config.min_field_r:g} is expected: the focal "
                f"plane or the position is another one",
                seen,
            )
        if why := placement_error(self._rois, seen, least_sd=self._config.min_rois_sd):
            self._refuse(why, seen)

    def _refuse(self, why: str, seen: NDArray[Any]) -> None:
        raise FieldMismatchError(
            why=why,
            reference_counts=self._reference,
            seen_counts=seen,
            footprint=self._rois.footprint(),
        )


def local_contrast_correlation(
    seen: NDArray[Any], reference: NDArray[Any], *, edge_px: int
) -> float:
    """Pearson correlation of the local contrast of two (row, col) images without their edges."""
    inner = tuple(slice(edge, -edge) for edge in (min(edge_px, s // 4) for s in seen.shape))
    one, other = (_standardised(_local_contrast(image)[inner]) for image in (seen, reference))
    return float((one * other).mean())


def placement_error(rois: Rois, image: NDArray[Any], *, least_sd: float) -> str:
    """A phrase that describes how `rois` mismatch the mean `image`; empty for a match.

    The local contrast of the image is correlated with that of the ROIs at all shifts; the standard
    deviation over shifts beyond 16 px is the scale of chance matches. ROIs match if their z-score
    at shifts of up to 2 px is at least `least_sd`; 0 accepts all.
    """
    if least_sd == 0 or rois.count < _FEWEST_ROIS or min(rois.shape) < _SMALLEST_PX:
        return ""
    z_scores = _match_z_scores(rois, image)
    here = float(z_scores[_within(_SLACK_PX)].max())
    near = z_scores[_within(_SEARCH_PX)]
    row, col = (int(p) - _SEARCH_PX for p in np.unravel_index(near.argmax(), near.shape))
    best = float(near.max())
    if best >= _CLEAR_SD and best - here >= _CLEARER_SD:
        return (
            f"the ROIs match the image when shifted by {row:+d} rows and {col:+d} columns "
            f"(z-score {best:.1f} there, {here:.1f} unshifted)"
        )
    if here < least_sd:
        return (
            f"the {rois.count} ROIs do not lie on pixels brighter than their surroundings "
            f"(z-score {here:.1f}, at least {least_sd:g} is expected)"
        )
    return ""


def _match_z_scores(rois: Rois, image: NDArray[Any]) -> NDArray[np.float64]:
    """(row, col) z-score of the match at each shift; shift 0 is at index (16, 16)."""
    contrast = _local_contrast(image)
    edge = np.ones(rois.shape, bool)
    edge[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = False
    contrast[edge] = 0
    cells = np.zeros(rois.shape)
    cells.reshape(-1)[rois.pixels] = 1
    cells -= ndimage.gaussian_filter(cells, _AROUND_PX)
    # cross-correlation at all shifts at once: F⁻¹[F(contrast) F(cells)*]
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
    """(row, col) image minus its local mean, over the local standard deviation."""
    smooth = ndimage.gaussian_filter(image.astype(np.float64), _SMOOTH_PX)
    smooth -= ndimage.gaussian_filter(smooth, _LOCAL_PX)
    spread: NDArray[np.float64] = np.sqrt(ndimage.gaussian_filter(smooth**2, _LOCAL_PX))
    contrast: NDArray[np.float64] = smooth / (spread + 1e-9 + 1e-6 * float(spread.max()))
    return contrast


class FieldGuard:
    """Rejects scans that cannot be registered, and reports a lost field of view.

    A scan is rejected if its correlation peak is below `min_peak_sd` or its best shift is at the
    edge of the search range. After `lost_field_scans` consecutive rejected scans the field of view
    is lost, until as many consecutive scans are accepted.
    """

    def __init__(self, config: CalciumConfig) -> None:
        self._least_peak_sd = config.min_peak_sd
        self._lost_after = config.lost_field_scans
        self._last = Shift(0.0, 0.0, 0.0, False)
        self._run = 0
        self.rejected = False
        """Whether the latest scan was rejected."""
        self.lost = False

    def accepted(self, shift: Shift) -> Shift:
        """`shift`, or, where it is rejected, the last accepted one with the peak of this scan."""
        self.rejected = shift.peak_sd < self._least_peak_sd or shift.at_edge
        # consecutive scans that contradict the current state, lost or not
        self._run = self._run + 1 if self.rejected != self.lost else 0
        if self._run >= self._lost_after:
            self.lost, self._run = self.rejected, 0
        if self.rejected:
            return replace(self._last, peak_sd=shift.peak_sd, at_edge=shift.at_edge)
        self._last = shift
        return shift


def is_black(pixels: NDArray[Any]) -> bool:
    """Whether all but 0.1 % of the pixels of a scan have its lowest value, so that it is unlit."""
    return int(np.count_nonzero(pixels != pixels.min())) * 1000 <= _LIT_PER_MILLE * pixels.size


def leading_dark(scans: Sequence[NDArray[Any]]) -> int:
    """Number of first scans that are dark: the three after them have over 4 times their contrast.

    An unlit scan holds the noise of the detector, and its contrast (SD over pixels) is that noise.
    """
    contrast = [float(scan.std()) for scan in scans]
    for dark in range(len(scans) - _LIT_SCANS, 0, -1):
        if min(contrast[dark : dark + _LIT_SCANS]) > _DARK_CONTRAST * max(contrast[:dark]):
            return dark
    return 0


class BlackStart:
    """Reports scans without light while reference image and calibration wait for lit ones."""

    def __init__(self) -> None:
        self._unreported = self._reported = 0

    def add(self, count: int) -> Iterator[Event]:
        """Add `count` black scans; the first one is reported at once, others 30 at a time."""
        self._unreported += count
        if not self._reported or self._unreported >= _REPORTED_SCANS:
            yield from self.rest()

    def rest(self) -> Iterator[Event]:
        """Report the black scans that have not been reported."""
        if self._unreported:
            counts = {"scans": float(self._unreported)}
            self._reported, self._unreported = self._reported + self._unreported, 0
            text = (
                "black scans at the start (laser off or shutter closed) were left out, "
                "and the reference image waited for light"
            )
            yield Event("warning", "decoder", "scans_black", text, counts)


def _darkness(reference: NDArray[Any], seen: NDArray[Any]) -> str:
    """A phrase where the reference is dark compared with the scans; else empty."""
    if float(seen.std()) < _DARK_CONTRAST * float(reference.std()):
        return ""
    return ", which is dark: laser and shutter were not on while it was taken"
