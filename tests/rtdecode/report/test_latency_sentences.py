"""Latencies are stated for the stages that were measured, and the others are named."""

from rtdecode.evaluate.latency import StageLatency
from rtdecode.report.latency_sentences import latency_sentences


def test_measured_and_unmeasured_stages_are_named() -> None:
    measured = {
        "scan": StageLatency(4.25, 9.0, 12.0, 5),
        "decode": StageLatency(12.4, 30.0, 31.0, 5),
    }
    first, second = latency_sentences(measured)
    assert first == "Median latency of each stage in ms: scan 4.2, decode 12."
    assert second.startswith("The latency of transport, calcium, pacing was not measured")
