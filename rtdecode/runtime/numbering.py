"""Numbers of the messages of one source, kept so that a restart states what the kill left unsent.

A message is in the memory of its sender until the recorder takes it, and a kill loses it. Each
number is therefore kept in the session folder before its message is sent. A sender that is started
again states the last numbers in its START; for one that is not, the recorder reads the file at the
end.

>>> numbering = Numbering()
>>> [numbering.next("scan"), numbering.next("scan"), numbering.next("event")]
[0, 1, 0]
>>> numbering.last
{'event': 0, 'scan': 1}
"""

from pathlib import Path

from rtdecode.runtime.progress import Progress, kept_progress
from rtdecode.runtime.run_info import RunInfo
from rtdecode.schema.config import RunConfig
from rtdecode.schema.messages import BODIES

_KINDS = tuple(sorted(body.kind for body in BODIES))
_SUFFIX = ".sent"


class Numbering:
    """Gives each message of a source its number, from 0 for each kind.

    Parameters
    ----------
    progress
        The file in which the numbers are kept; None keeps nothing.

    Attributes
    ----------
    before
        Last number of each kind that the source gave before it was started again.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = Progress(None, _KINDS) if progress is None else progress
        self._last = dict.fromkeys(_KINDS, -1)
        self.before = _given(self._progress.read() or {})

    def next(self, kind: str) -> int:
        """The number of the next message of `kind`."""
        self._last[kind] += 1
        self._progress.write(*self._last.values())
        return self._last[kind]

    @property
    def last(self) -> dict[str, int]:
        """Last number of each kind of which there was a message."""
        return _given(self._last)


def kept_numbering(config: RunConfig, run_info: RunInfo, *, source: str) -> Numbering:
    """The numbering of `source`, kept in the folder of its session where there is one."""
    return Numbering(kept_progress(config, run_info, file=f"{source}{_SUFFIX}", names=_KINDS))


def numbers_given(folder: Path) -> dict[str, dict[str, int]]:
    """Last numbers that each source in the session `folder` gave; removes their files.

    They are kept after END too, as END may be among the messages that did not come.
    """
    found = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        progress = Progress(path, _KINDS)
        found[path.name.removesuffix(_SUFFIX)] = _given(progress.read() or {})
        progress.remove()
    return found


def _given(numbers: dict[str, int]) -> dict[str, int]:
    return {kind: last for kind, last in numbers.items() if last >= 0}
