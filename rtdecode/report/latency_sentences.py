"""Sentences of a summary about the latency of a scan on its way to the page."""

from collections.abc import Mapping

from rtdecode.evaluate.latency import StageLatency

_ROUNDED_FROM_MS = 9.95
_PARTS = ("scan", "transport", "calcium", "decode", "pacing")
"""Stages on the way of a scan, in their order."""


def latency_sentences(stages_ms: Mapping[str, StageLatency]) -> list[str]:
    """State the measured latencies, and which stages were not measured."""
    stated = []
    if "screen_to_output" in stages_ms:
        whole = stages_ms["screen_to_output"]
        stated.append(
            f"The latency from screen to output, which includes the lag, has a median of "
            f"{whole.p50:.0f} ms and a 99th percentile of {whole.p99:.0f} ms."
        )
    if "output_delay" in stages_ms:
        delay = stages_ms["output_delay"]
        stated.append(
            f"Frames left the decoder a median of {delay.p50:.0f} ms after the newest frame on "
            f"which they rest, by the measured time of computation."
        )
    known = [name for name in _PARTS if name in stages_ms]
    if known:
        medians = ", ".join(f"{name} {_rounded(stages_ms[name].p50)}" for name in known)
        stated.append(f"Median latency of each stage in ms: {medians}.")
    missing = [name for name in _PARTS if name not in stages_ms]
    if missing:
        names = ", ".join(missing)
        stated.append(f"The latency of {names} was not measured; a replay does not time it.")
    return stated


def _rounded(ms: float) -> str:
    return f"{ms:.1f}" if ms < _ROUNDED_FROM_MS else f"{ms:,.0f}"
