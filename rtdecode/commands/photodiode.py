"""`rtdecode check CONFIG --photodiode SOURCE`: the light delay of the monitor."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from rtdecode.commands.console import print_plain, print_warning
from rtdecode.evaluate.photodiode import LightDelay, TraceClock, light_delay
from rtdecode.pipeline.photodiode import (
    SCANS,
    collected,
    delay_to_write,
    is_live,
    loopback_of_session,
    loopback_sentences,
    measured_delay,
    patch_flips,
    screen_alone,
    sentences,
)
from rtdecode.pipeline.run import run_session
from rtdecode.runtime.config_edit import set_in_section
from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.stop import stopped_by_signals
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import MissingOptionError
from rtdecode.session.layout import new_session, session_with_config

_MOST_DIFFERING = 0.01


@dataclass(frozen=True, slots=True)
class PhotodiodeRequest:
    """What `rtdecode check --photodiode` is asked for."""

    config_file: Path
    source: str
    session: Path | None
    rate_hz: float | None
    seconds: float
    """Length in s of the run for an LSL stream."""


def check_photodiode(request: PhotodiodeRequest, *, console: Console) -> None:
    """Measure the light delay, print it, and write it into the config where it is known.

    An LSL stream is recorded during a run of stimulus and recorder; other sources need the session
    that ran while they were recorded.
    """
    if request.source == SCANS:
        _check_loopback(request, console)
        return
    found = _measured(request, console)
    for sentence in sentences(found):
        print_plain(console, sentence)
    if found.frames_differing > _MOST_DIFFERING * (found.frames_matched + found.frames_differing):
        print_warning(
            "the trace does not have the level of the patch in many frames: check that the "
            "photodiode is on the patch, and that no other light reaches it"
        )
    file = request.config_file
    if found.clock is TraceClock.OWN:
        print_plain(console, f"Nothing was written into {file}.")
        return
    delay = delay_to_write(found)
    line = set_in_section(file, section="stimulus", key="light_delay_ms", value=delay)
    print_plain(console, f"Written into {file}, under stimulus:\n  {line}")


def _check_loopback(request: PhotodiodeRequest, console: Console) -> None:
    if request.session is None:
        raise MissingOptionError(option="--session", needed_for=f"--photodiode {SCANS}")
    found = loopback_of_session(session_with_config(request.session))
    for sentence in loopback_sentences(found):
        print_plain(console, sentence)


def _measured(request: PhotodiodeRequest, console: Console) -> LightDelay:
    config = read_config(request.config_file)
    if not is_live(request.source):
        layout = None if request.session is None else session_with_config(request.session)
        return measured_delay(request.source, layout, rate_hz=request.rate_hz)
    # numba takes a second to import, which other sources do without
    from rtdecode.pipeline.preflight import checked

    config = checked(screen_alone(config, seconds=request.seconds))
    with collected(request.source) as trace:
        layout = new_session(config.record.folder, started=datetime.now().astimezone())
        print_plain(console, f"recording for {request.seconds:g} s into {layout.folder}")
        with write_errors_named(layout.folder), stopped_by_signals() as stop:
            run_session(config, layout, stop=stop)
    return light_delay(trace(), patch_flips(layout))
