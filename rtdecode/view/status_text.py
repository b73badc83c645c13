"""Status line of the page: the most serious state of the run, in a title and a sentence."""

from dataclasses import dataclass
from enum import StrEnum

_STALE_S = 1.5
_LOSS_DISPLAYED_S = 10.0
_RECORDER_SILENT_S = 3.0
WARNING_DISPLAYED_S = 10.0
"""Time in s for which the newest warning stands in the status line."""


class Level(StrEnum):
    """Seriousness of a status; the page colours it accordingly."""

    GOOD = "good"
    WAITING = "waiting"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Status:
    """One state of the run as the page displays it."""

    level: Level
    title: str
    sentence: str
    """What happened and what to check; empty where the title suffices."""


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds since the last message of each kind (None where none has arrived), and problems."""

    decoded_s: float | None = None
    displayed_s: float | None = None
    responses_s: float | None = None
    loss_s: float | None = None
    recorder_s: float | None = None
    """Since the last heartbeat of the recorder."""
    decoder: str = ""
    """Why the decoder gives nothing now, where it is known."""
    score: str = ""
    """Why the live score gives nothing now, where it is known."""
    alarms: int = 0
    """Alarms that are neither over nor acknowledged."""
    warning: str = ""
    """The newest warning of the last seconds."""


def run_status(ages: Ages, *, warm: bool, ended: bool, lost: int) -> Status:
    """Return the most serious status that applies.

    Parameters
    ----------
    ages
        Seconds since the last messages, and problems of processes.
    warm
        Whether the newest reconstruction comes from a full horizon.
    ended
        Whether a source has sent its end.
    lost
        Number of messages that the log lacks.
    """
    if ended:
        text = "The session has ended; its last frames remain on the page."
        return Status(Level.WAITING, "Ended", text)
    if ages.decoded_s is None:
        return _before_first_frame(ages)
    return _stale(ages, ages.decoded_s) or _running(ages, warm=warm, lost=lost)


def _stale(ages: Ages, decoded_s: float) -> Status | None:
    if decoded_s > _STALE_S:
        return Status(Level.BAD, "Stale", _stale_cause(ages, decoded_s))
    if ages.displayed_s is not None and ages.displayed_s > _STALE_S:
        text = f"No displayed frame for {ages.displayed_s:.0f} s: scoring is paused."
        return Status(Level.WARNING, "No displayed frames", text)
    return None


def _running(ages: Ages, *, warm: bool, lost: int) -> Status:
    if warning := _warning(ages, lost=lost):
        return warning
    if not warm:
        text = "The decoder's horizon is filling; frames are not scored yet."
        return Status(Level.WAITING, "Warming up", text)
    if ages.displayed_s is None:
        text = "This run has no displayed frames, so nothing is scored."
        return Status(Level.GOOD, "Live", text)
    return Status(Level.GOOD, "Live", "")


def _warning(ages: Ages, *, lost: int) -> Status | None:
    if ages.alarms:
        text = f"Alarms that are neither over nor acknowledged: {ages.alarms}."
        return Status(Level.BAD, "Alarm", text)
    if ages.recorder_s is not None and ages.recorder_s > _RECORDER_SILENT_S:
        text = f"No heartbeat of the recorder for {ages.recorder_s:.0f} s: messages wait for it."
        return Status(Level.WARNING, "Recorder silent", text)
    if ages.loss_s is not None and ages.loss_s < _LOSS_DISPLAYED_S and lost:
        text = f"Messages that the log lacks since the start: {lost}."
        return Status(Level.WARNING, "Lost data", text)
    if ages.score:
        return Status(Level.WARNING, "No score", f"The score is outdated: {ages.score}.")
    if ages.warning:
        return Status(Level.WARNING, "Warning", f"{ages.warning}.")
    return None


def _before_first_frame(ages: Ages) -> Status:
    if ages.decoder:
        text = f"No reconstruction yet: {ages.decoder}."
    elif ages.responses_s is not None:
        text = "Activity arrives; no reconstruction yet."
    elif ages.displayed_s is not None:
        text = "Displayed frames arrive; no activity yet."
    else:
        text = "No data from screen or microscope yet."
    return Status(Level.WAITING, "Waiting", text)


def _stale_cause(ages: Ages, decoded_s: float) -> str:
    stale = f"No reconstruction for {decoded_s:.0f} s"
    if ages.decoder:
        return f"{stale}: {ages.decoder}. The pictures are outdated."
    if ages.responses_s is not None and ages.responses_s > _STALE_S:
        return f"{stale}: the pictures are outdated. No activity arrives: check the microscope."
    return f"{stale}: the pictures are outdated. Activity still arrives: check the decoder."
