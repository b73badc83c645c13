"""Measures the light delay of a monitor from a photodiode and a session, for `rtdecode check`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.loopback import LoopbackDelay, line_trace, loopback_delay
from rtdecode.evaluate.photodiode import LightDelay, PatchFlips, Trace, TraceClock, light_delay
from rtdecode.pipeline.photodiode_sources import (
    BEHAVIOUR,
    LSL,
    LslTrace,
    read_trace,
    trace_of_session,
)
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import MissingOptionError, StreamMissingError, TraceEarlyError
from rtdecode.schema.messages import DisplayedFrame, Scan
from rtdecode.schema.patch_code import is_white
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

SCANS = "scans"
"""Source that stands for the screen's light in the scans, where there is no photodiode."""
T = TypeVar("T")

_EARLIEST_MS = -2.0
"""Light may come this much before the flip returns, as on a virtual screen."""


def patch_flips(session: SessionLayout) -> PatchFlips:
    """The displayed frames of a session, with the patch of each.

    Raises
    ------
    StreamMissingError
        If the log has no displayed frames with numbers.
    """
    stimulus = read_config(session.config).stimulus
    frames = [frame for frame in _bodies(session, DisplayedFrame) if frame.number >= 0]
    if not frames:
        remedy = "record a session with this release, whose frames have numbers"
        raise StreamMissingError(log=session.log, what="numbered displayed frames", remedy=remedy)
    white = np.array([is_white(frame.number, stimulus.patch.code) for frame in frames])
    return PatchFlips(_flips_ns(frames, stimulus), white)


def loopback_of_session(session: SessionLayout) -> LoopbackDelay:
    """The light delay by the light of the screen in the scans of a session.

    Raises
    ------
    StreamMissingError, LeakAbsentError
        If the log has no displayed frames or no scans, or the light is not in them.
    """
    frames = list(_bodies(session, DisplayedFrame))
    lines = [(s.pixels_counts.mean(1), s.t_start_ns, s.t_end_ns) for s in _bodies(session, Scan)]
    if not frames or not lines:
        remedy = "record a session in which the screen flashes while scans are streamed"
        what = "scans and displayed frames"
        raise StreamMissingError(log=session.log, what=what, remedy=remedy)
    means, start_ns, end_ns = (np.array(one) for one in zip(*lines, strict=True))
    return loopback_delay(
        *line_trace(means, start_ns, end_ns),
        flips_ns=_flips_ns(frames, read_config(session.config).stimulus),
        luminance=np.array([float(frame.luminance.mean()) for frame in frames]),
    )


def _flips_ns(frames: Sequence[DisplayedFrame], stimulus: StimulusConfig) -> NDArray[np.int64]:
    """(frame,) flips without the light delay that the log adds to them."""
    flips = np.array([frame.t_flip_ns for frame in frames], np.int64)
    return flips - round(stimulus.light_delay_ms * 1e6)


def _bodies(session: SessionLayout, kind: type[T]) -> Iterator[T]:
    """The bodies of one kind in the log, in their order."""
    name = getattr(kind, "kind", "")
    for received in LogReader(session.log).messages(lambda stream: stream.endswith(f"/{name}")):
        if isinstance(received.message.body, kind):
            yield received.message.body


def measured_delay(
    source: str, session: SessionLayout | None, *, rate_hz: float | None
) -> LightDelay:
    """The light delay from the trace `source`, a file or `behaviour:COLUMN`, and a session.

    Raises
    ------
    MissingOptionError
        If no session is given.
    BadInputError
        As `read_trace`, `trace_of_session`, `patch_flips` and `light_delay` raise.
    """
    if session is None:
        raise MissingOptionError(option="--session", needed_for="a trace that is already recorded")
    if source.startswith(BEHAVIOUR):
        trace = trace_of_session(session, source.removeprefix(BEHAVIOUR))
    else:
        trace = read_trace(Path(source), rate_hz=rate_hz)
    return light_delay(trace, patch_flips(session))


def is_live(source: str) -> bool:
    """Whether the trace is an LSL stream, which is recorded while a session runs."""
    return source.startswith(LSL)


def screen_alone(config: RunConfig, *, seconds: float) -> RunConfig:
    """A run of the stimulus and the recorder alone."""
    processes = (Role.RECORDER, Role.STIMULUS)
    return config.model_copy(update={"processes": processes, "seconds": seconds})


@contextmanager
def collected(source: str) -> Iterator[Callable[[], Trace]]:
    """Collect the LSL stream `source` during the block; the function gives its trace after it."""
    inlet, stop = LslTrace(source.removeprefix(LSL)), Event()
    thread = Thread(target=inlet.collect, args=(stop,), name="photodiode")
    thread.start()
    try:
        yield inlet.trace
    finally:
        stop.set()
        thread.join()


def delay_to_write(found: LightDelay) -> float:
    """`stimulus.light_delay_ms` for the measured delay, in steps of 0.01 ms.

    Raises
    ------
    TraceEarlyError
        If light came before the flip.
    """
    if found.median_ms < _EARLIEST_MS:
        raise TraceEarlyError(delay_ms=found.median_ms)
    return round(max(0.0, found.median_ms), 2)


def loopback_sentences(found: LoopbackDelay) -> Sequence[str]:
    """What was measured without a photodiode, one sentence each."""
    delay = max(0.0, round(found.delay_ms, 1))
    return (
        f"Light delay by the screen's light in the scans: {found.delay_ms:.1f} ms, resolved to "
        f"{found.line_ms:.2f} ms (lines), correlation {found.correlation:.3f}, z = {found.z:.1f}.",
        "Its spread is unknown. Neurons that follow the screen would make it too long.",
        f"Nothing was written; the config has it under stimulus as\n  light_delay_ms: {delay:g}",
    )


def sentences(found: LightDelay) -> Sequence[str]:
    """What was measured, one sentence each."""
    edges = found.edges_matched + found.edges_missing
    frames = found.frames_matched + found.frames_differing
    counts = (
        f"{found.edges_matched} of {edges} changes of the patch were seen, {found.edges_missing} "
        f"are missing; in {found.frames_matched} of {frames} frames the trace has the level of the "
        f"patch."
    )
    sampled = f"The sampling interval of the trace is {found.sample_ms:.3g} ms."
    if found.clock is TraceClock.OWN:
        return (
            f"Spread of the light delay: SD {found.sd_ms:.2f} ms, 95 % at most "
            f"{found.p95_ms:.2f} ms above the median; to white {found.rise_ms:+.2f} ms, to black "
            f"{found.fall_ms:+.2f} ms.",
            counts,
            f"{sampled} Its clock drifts by {found.drift_ppm:.0f} ppm against the host's.",
            "The delay itself is unknown, because the trace has a clock of its own: record it over "
            "LSL, with times of CLOCK_MONOTONIC (host_ns), or with the microscope.",
        )
    return (
        f"Light delay: median {found.median_ms:.2f} ms, SD {found.sd_ms:.2f} ms, 95 % at most "
        f"{found.p95_ms:.2f} ms; to white {found.rise_ms:.2f} ms, to black {found.fall_ms:.2f} ms.",
        counts,
        sampled,
    )
