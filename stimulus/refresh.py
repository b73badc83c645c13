"""How often a screen refreshes, and whether its flip waits for that."""

from collections.abc import Sequence

import numpy as np

from rtdecode.schema.errors import RefreshRateError

_USUAL_HZ = (50, 60, 70, 72, 75, 85, 90, 100, 120, 144, 165, 170, 180, 200, 240, 280, 360)
_NEAR = 0.02
_STEADY = 0.1


def refresh_rate(flips_ns: Sequence[int], *, configured_hz: float | None) -> float | None:
    """Refresh rate of the screen on which flips returned at `flips_ns`, asked for back to back.

    Parameters
    ----------
    configured_hz
        What the config says the monitor does; it must be what is measured.

    Returns
    -------
    Hz; None where flips do not wait (virtual screens, remote desktops, vertical sync turned off):
    their intervals scatter, or fit no rate that monitors have.

    Raises
    ------
    RefreshRateError
        If the measured rate is not the configured one.
    """
    intervals_s = np.diff(flips_ns) / 1e9
    middle_s = float(np.median(intervals_s))
    steady = np.mean(np.abs(intervals_s - middle_s) < _STEADY * middle_s) > 1 - _STEADY
    measured_hz = 1 / middle_s
    if configured_hz is not None:
        if not steady or abs(measured_hz / configured_hz - 1) > _NEAR:
            raise RefreshRateError(got_hz=measured_hz, expected=f"{configured_hz:g} as configured")
        return configured_hz
    near = min(_USUAL_HZ, key=lambda usual: abs(measured_hz / usual - 1))
    return measured_hz if steady and abs(measured_hz / near - 1) < _NEAR else None
