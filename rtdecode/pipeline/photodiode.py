"""Measures the light delay of a monitor from a photodiode and a session, for `rtdecode check`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np

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
from rtdecode.schema.config.run import Role
from rtdecode.schema.errors import MissingOptionError, StreamMissingError, TraceEarlyError
from rtdecode.schema.messages import DisplayedFrame
from rtdecode.schema.patch_code import is_white
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

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
    stream = LogReader(session.log).messages(lambda name: name.endswith(f"/{DisplayedFrame.kind}"))
    bodies = [one.message.body for one in stream]
    frames = [one for one in bodies if isinstance(one, DisplayedFrame) and one.number >= 0]
    if not frames:
        remedy = "record a session with this release, whose frames have numbers"
        raise StreamMissingError(log=session.log, what="numbered displayed frames", remedy=remedy)
    delay_ns = round(stimulus.light_delay_ms * 1e6)
    return PatchFlips(
        np.array([one.t_flip_ns for one in frames]) - delay_ns,
        np.array([is_white(one.number, stimulus.patch.code) for one in frames]),
    )


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
