"""Scans without fluorescence are counted, also where some are missing from the log."""

from rtdecode.report.log_content import decoded_scans
from rtdecode.schema.config.calcium import CalciumConfig


def test_scans_that_were_sent_and_not_decoded_are_counted() -> None:
    counts = {"bridge/scan": 90, "decoder/fluorescence": 80, "decoder/start": 1}
    found = decoded_scans(CalciumConfig(), counts, lost={"bridge/scan": 10}, by_plane={})
    assert found == {"scans": 90, "scans_to_decode": 90, "scans_not_decoded": 20}


def test_without_a_decoder_none_is_missing() -> None:
    found = decoded_scans(CalciumConfig(), {"bridge/scan": 9}, lost={}, by_plane={})
    assert found["scans_not_decoded"] == 0
