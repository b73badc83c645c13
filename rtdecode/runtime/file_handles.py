"""The number of files and connections that this process may have open.

Each connection to a socket takes a file handle, also that of a stranger until its handshake has
failed. A process without a free one can open no file, and accepts no connection.
"""

from importlib import import_module

_WANTED = 65_536


def permit_many_files() -> int | None:
    """Raise the number of open files to what the system permits this process, at most 65,536.

    Returns
    -------
    The number that is in force; None where the system, as Windows, has no such limit.
    """
    try:
        resource = import_module("resource")
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return int(soft)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return int(wanted)
