"""What begins a session whose processes are ready, which of them wait for it, and its twin."""

import logging
from pathlib import Path
from threading import Event
from typing import Any

from rtdecode.runtime.run_requests import RunState
from rtdecode.runtime.supervisor import Supervisor
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.run import StartOn
from rtdecode.schema.errors import MissingFileError
from rtdecode.twins.record import twin_record

log = logging.getLogger(__name__)


def held(config: RunConfig) -> frozenset[Role]:
    """The processes that are not started before the session begins.

    >>> sorted(held(RunConfig(start=StartOn.AT_ONCE)))
    []
    """
    if config.start is StartOn.ON_FIRST_SCAN:
        # a policy that begins by itself must not act before the stimulus
        return frozenset({Role.STIMULUS, Role.CONTROLLER})
    return frozenset(Role) - {Role.RECORDER} if config.start is StartOn.ON_REQUEST else frozenset()


def ended_before_begin(config: RunConfig, folder: Path, supervisor: Supervisor, stop: Event) -> str:
    """Wait for what begins the session in `folder`; why the run has ended before, else empty."""
    if config.start is StartOn.AT_ONCE:
        _set_state(supervisor, RunState.RUNNING)
        return ""
    _set_state(supervisor, RunState.READY)
    by_request = f"`rtdecode start {folder}`"
    on_scan = config.start is StartOn.ON_FIRST_SCAN
    starts = f"the first scan, or {by_request}" if on_scan else by_request
    log.warning("all processes are ready; the session starts with %s", starts)
    reason = supervisor.watch(stop, until=lambda: _begun(supervisor, on_scan=on_scan))
    if not _begun(supervisor, on_scan=on_scan):
        return reason
    log.warning("%s", reason)
    supervisor.begin(reason)
    _set_state(supervisor, RunState.RUNNING)
    return ""


def _begun(supervisor: Supervisor, *, on_scan: bool) -> str:
    """What has begun the session; empty where nothing has."""
    if supervisor.requests is not None and supervisor.requests.is_started:
        return "another program has started the session"
    came = on_scan and supervisor.counter(Role.BRIDGE, "scans") > 0
    return "the first scan has started the session" if came else ""


def _set_state(supervisor: Supervisor, state: RunState) -> None:
    if supervisor.requests is not None:
        supervisor.requests.state = state


def twin_facts(config: RunConfig) -> dict[str, Any] | None:
    """What a session keeps of its twins; None without one, or where another host has it."""
    if config.decode is None or not config.decode.twin_folders:
        return None
    try:
        return twin_record(*config.decode.twin_folders).as_json()
    except MissingFileError:
        return None
