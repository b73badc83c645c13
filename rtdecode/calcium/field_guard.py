"""Tells a field of view that moves from one that is lost."""

from dataclasses import replace

from rtdecode.calcium.register import Shift
from rtdecode.schema.config.calcium import CalciumConfig


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
