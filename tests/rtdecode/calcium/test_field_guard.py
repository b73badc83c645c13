"""A scan that cannot be registered is rejected; many in a row are a lost field of view."""

from rtdecode.calcium.field_check import FieldGuard
from rtdecode.calcium.register import Shift
from rtdecode.schema.config.calcium import CalciumConfig

CLEAR = Shift(1.0, -2.0, 20.0, at_edge=False)
UNCLEAR = Shift(7.0, 7.0, 2.0, at_edge=False)
FAR = Shift(8.0, 0.0, 20.0, at_edge=True)


def guard() -> FieldGuard:
    return FieldGuard(CalciumConfig(min_peak_sd=4.0, lost_field_scans=3))


def test_a_doubtful_scan_keeps_the_last_clear_place() -> None:
    watch = guard()
    watch.accepted(CLEAR)
    for rejected in (UNCLEAR, FAR):
        kept = watch.accepted(rejected)
        assert (kept.row_px, kept.col_px) == (1.0, -2.0)
        assert watch.rejected
    assert not watch.lost


def test_the_field_is_lost_and_found_after_three_consecutive_scans() -> None:
    watch = guard()
    seen = [CLEAR, FAR, FAR, CLEAR, FAR, UNCLEAR, FAR, CLEAR, CLEAR, FAR, CLEAR, CLEAR, CLEAR]
    lost = []
    for shift in seen:
        watch.accepted(shift)
        lost.append(watch.lost)
    assert lost == [False] * 6 + [True] * 6 + [False]
