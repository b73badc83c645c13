"""rtdecode shows, live, what a mouse sees.

In a notebook, its functions are those of the commands, with arrays as results:

    import rtdecode as rd

    session = rd.open_session("sessions/2026-11-30_09-00-00")
    decoded = session.decoded.between(10, 12).load()

`docs/notebook.md` shows them. They are imported where they are first used, so that importing
rtdecode itself takes no time and needs no other package.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "Decoder": "rtdecode.notebook.decoding",
    "FitWarning": "rtdecode.notebook.fitting",
    "RecordedSession": "rtdecode.session.recorded",
    "RtdecodeError": "rtdecode.schema.errors",
    "Scores": "rtdecode.notebook.scores",
    "Series": "rtdecode.session.series",
    "Twin": "rtdecode.notebook.twin",
    "fit_ridge": "rtdecode.notebook.fitting",
    "fit_twin": "rtdecode.notebook.fitting",
    "load_twin": "rtdecode.notebook.twin",
    "open_session": "rtdecode.notebook.opening",
    "reconstruct": "rtdecode.notebook.offline",
    "score": "rtdecode.notebook.scores",
}
"""Module of each public name. `__init__.pyi` states them to type checkers and editors."""
__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:
    """The public `name`, imported at its first use.

    Raises
    ------
    ExtraMissingError
        If it needs a package of the extra `decoder` that is not installed.
    """
    if name not in _PLACES:
        raise AttributeError(f"module 'rtdecode' has no attribute '{name}'")
    from rtdecode.runtime.extras import missing_extra_named

    with missing_extra_named():
        found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
