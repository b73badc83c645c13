"""Whether the timing of a session was right, in one sentence, and what that rests on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rtdecode.report.session_summary import SessionSummary
from rtdecode.runtime.clock_state import RESET, SUSPENDED, UNCERTAIN
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.stimulus import Display, Presenter
from rtdecode.schema.messages import DisplayedFrame

Verdict = Literal["yes", "part", "no"]
LATE_PERCENT = 2.0
"""More late frames than this are stated as a fault, on the page too."""
_CLOCK_EVENTS = {
    UNCERTAIN: "clocks were known too inexactly for a time",
    RESET: "a clock was reset",
    SUSPENDED: "a computer was suspended",
}
_DISPLAYED = f"stimulus/{DisplayedFrame.kind}"
_FLIP_MISSED, _STALLED = "flip_missed", "screen_stalled"


@dataclass(frozen=True, slots=True)
class TimingAnswer:
    """The answer, and why."""

    verdict: Verdict
    """yes; part: nothing is wrong, and something was not measured; no: something is wrong."""
    sentence: str


def timing_answer(summary: SessionSummary, config: RunConfig) -> TimingAnswer:
    """Answer from late frames, clocks, flips, losses and the measured delay of the light."""
    wrong, unknown = list(_faults(summary, config)), list(_unknown(summary, config))
    stated = "; ".join(_measured(summary, config))
    measured = f" ({stated})" if stated else ""
    if wrong:
        also = f"; not measured: {', '.join(unknown)}" if unknown else ""
        text = f"Was timing right? Not throughout: {'; '.join(wrong)}{measured}{also}."
        return TimingAnswer("no", text)
    if unknown or not stated:
        known = f"Yes, as far as it was measured{measured}" if stated else "Not known"
        missing = ", ".join(unknown) or "any latency, refresh or clock"
        return TimingAnswer("part", f"Was timing right? {known}; not measured: {missing}.")
    return TimingAnswer("yes", f"Was timing right? Yes{measured}.")


def _faults(summary: SessionSummary, config: RunConfig) -> Iterator[str]:
    late = summary.late_percent
    if late is not None and late > LATE_PERCENT:
        yield f"{late:.1f} % of the frames were late"
    half_ms = 500 / config.frame_rate_hz
    for clock in summary.clocks:
        if clock.largest_uncertainty_ms > half_ms:
            largest_ms = clock.largest_uncertainty_ms
            yield f"times of {clock.host} are right within {largest_ms:.1f} ms only"
    codes = {event.code for event in summary.events}
    yield from (text for code, text in _CLOCK_EVENTS.items() if code in codes)
    missed = sum(
        event.counts.get("refreshes", 0) for event in summary.events if event.code == _FLIP_MISSED
    )
    if missed:
        yield f"missed refreshes of the screen: {missed:,.0f}"
    if _STALLED in codes:
        yield "the screen stood still for a time"
    if summary.frames_not_decoded:
        yield f"{summary.frames_not_decoded:,} frames were not decoded"


def _measured(summary: SessionSummary, config: RunConfig) -> Iterator[str]:
    late = summary.late_percent
    if summary.frames_out and late is not None and late <= LATE_PERCENT:
        yield f"{late:.1f} % of the frames late"
    if "screen_to_output" in summary.stages_ms:
        whole = summary.stages_ms["screen_to_output"]
        yield f"screen to output {whole.p50:.0f} ms (median), {whole.p99:.0f} ms (99th percentile)"
    codes = {event.code for event in summary.events}
    is_flipped = config.stimulus.presenter is Presenter.PSYCHOPY
    if is_flipped and _DISPLAYED in summary.messages and not codes & {_FLIP_MISSED, _STALLED}:
        yield "no refresh of the screen missed"
    if summary.clocks:
        largest_ms = max(clock.largest_uncertainty_ms for clock in summary.clocks)
        yield f"clocks of other computers within {largest_ms:.1f} ms"
    if config.stimulus.light_delay_ms:
        yield f"light {config.stimulus.light_delay_ms:.1f} ms after the flip, by a photodiode"


def _unknown(summary: SessionSummary, config: RunConfig) -> Iterator[str]:
    if summary.frames_out and summary.late_percent is None:
        yield "the time of computation (a replay does not time it)"
    stimulus = config.stimulus
    has_monitor = stimulus.presenter is Presenter.PSYCHOPY and stimulus.display is Display.AUTO
    if has_monitor and not config.stimulus.light_delay_ms:
        yield "the delay from flip to light (`rtdecode check --photodiode` measures it)"
