"""`session.json` of a session: who, when and which twin, for people and other programs.

The section `session` of the config is copied into it, so that a table of sessions needs this file
alone. Software and machine stand in `environment.json`, all settings in `config.yaml`. The wall
clock also stands in the START of the supervisor, so that a log alone has it; a replay has no
supervisor, and takes it from the file of the session that it replays.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rtdecode.schema.config import RunConfig
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.messages import Start
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader

_SUPERVISOR_START = "supervisor/start"


def write_session_file(
    layout: SessionLayout,
    config: RunConfig,
    *,
    wall_clock: WallClock | None,
    twin: Mapping[str, Any] | None,
    replay_of: str = "",
) -> None:
    """Write `session.json` of a session that begins.

    Parameters
    ----------
    wall_clock
        UTC at an instant of the monotonic clock of the main host; None where it is not known.
    twin
        `TwinRecord.as_json` of its twin; None without one.
    replay_of
        Name of the recorded session, where this is a replay of one.

    Raises
    ------
    FileWriteError
        If the disk refuses it.
    """
    content = {
        "session": layout.folder.name,
        "begins": None if wall_clock is None else _begins(wall_clock),
        **({"replay_of": replay_of} if replay_of else {}),
        **config.session.model_dump(mode="json"),
        "twin": None if twin is None else dict(twin),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with write_errors_named(layout.session_file):
        layout.session_file.write_text(text, encoding="utf-8")


def _begins(wall_clock: WallClock) -> dict[str, Any]:
    utc = wall_clock.utc(wall_clock.t_ns)
    local = utc.astimezone()
    return {
        "utc": utc.isoformat(timespec="milliseconds"),
        "local": local.isoformat(timespec="seconds"),
        **asdict(wall_clock),
    }


def session_facts(layout: SessionLayout) -> Mapping[str, Any]:
    """The content of `session.json`; empty where it is absent or damaged."""
    try:
        found = json.loads(layout.session_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def recorded_wall_clock(layout: SessionLayout) -> WallClock | None:
    """The wall clock that `session.json` states, else that of the supervisor's START in the log.

    None where neither states one, as in sessions of earlier releases.
    """
    if (kept := kept_wall_clock(layout)) is not None or not layout.has_log:
        return kept
    starts = LogReader(layout.log).messages(lambda stream: stream == _SUPERVISOR_START)
    body = next((item.message.body for item in starts), None)
    return wall_clock_of(body) if isinstance(body, Start) else None


def wall_clock_of(start: Start) -> WallClock | None:
    """The wall clock that a START states; None where it states none."""
    return WallClock(start.utc_ns, start.utc_at_ns) if start.utc_ns else None


def kept_wall_clock(layout: SessionLayout) -> WallClock | None:
    """The wall clock that `session.json` states; None where it states none."""
    begins: Any = session_facts(layout).get("begins")
    try:
        return WallClock(*(int(begins[name]) for name in WallClock.__slots__))
    except (TypeError, KeyError, ValueError):
        return None
