"""Status line of the page: the most serious state of the run, in a title and a sentence."""

from dataclasses import dataclass
from enum import StrEnum

from rtdecode.evaluate.output_count import LateFrames
from rtdecode.view.process_watch import Problem

STALE_S = 1.5
"""Time in s without a reconstruction after which the pictures are outdated."""
_LOSS_DISPLAYED_S = 10.0
WARNING_DISPLAYED_S = 10.0
"""Time in s for which the newest warning stands in the status line."""
LATE_SHARE, _LEAST_FRAMES = 0.02, 30
"""Share of late frames of the last 10 s above which they are a warning, and of how many frames."""

_MOST_NAMED = 2
_ACTIVITY_BEGINS = "it begins when the cells are found and calibrated"


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
    is_outdated: bool = False
    """Whether the pictures are not of now."""


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds since the last message of each kind (None where none has arrived), and problems."""

    decoded_s: float | None = None
    displayed_s: float | None = None
    responses_s: float | None = None
    loss_s: float | None = None
    problems: tuple[Problem, ...] = ()
    """Processes that give nothing now, the first in the data flow first."""
    alarms: int = 0
    """Alarms that are neither over nor acknowledged."""
    warning: str = ""
    """The newest warning of the last seconds."""
    late: LateFrames = LateFrames(0, 0, 0)  # noqa: RUF009 - a frozen value
    """Late frames of the last 10 s."""
    late_cause: str = ""
    """The longest step of the last frames, or another cause."""


def run_status(
    ages: Ages,
    *,
    warm: bool,
    ended: bool,
    lost: int,
    decodes: bool = True,
    failed: str = "",
) -> Status:
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
    decodes
        False for a run that records and reconstructs nothing.
    failed
        Why the run has failed; empty where it has not.
    """
    if failed:
        return Status(Level.BAD, "Failed", f"The run has failed: {failed}.")
    if ended:
        text = "The session has ended; its last frames remain on the page."
        return Status(Level.WAITING, "Ended", text)
    if not decodes:
        return _warning(ages, lost=lost) or _recording(ages)
    if ages.decoded_s is None:
        return _before_first_frame(ages)
    return _stale(ages, ages.decoded_s) or _running(ages, warm=warm, lost=lost)


def _stale(ages: Ages, decoded_s: float) -> Status | None:
    if decoded_s <= STALE_S:
        return None
    age = f"No reconstruction for {decoded_s:.0f} s: the pictures are outdated."
    if ages.problems:
        first = ages.problems[0]
        text = f"{_sentence(ages.problems)} {age}"
        return Status(Level.BAD, first.title, text, is_outdated=True)
    return Status(Level.BAD, "Stale", f"{age} {_stale_cause(ages)}", is_outdated=True)


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


def _recording(ages: Ages) -> Status:
    """The status of a run with `decode: null`."""
    kinds = {"displayed frames": ages.displayed_s, "activity": ages.responses_s}
    arriving = [kind for kind, age_s in kinds.items() if age_s is not None and age_s <= STALE_S]
    if not arriving:
        text = "No data from screen or microscope yet; this run records and decodes nothing."
        return Status(Level.WAITING, "Waiting", text)
    text = f"This run records and decodes nothing; {' and '.join(arriving)} arrive."
    if ages.responses_s is None:
        text += f" No activity yet: {_ACTIVITY_BEGINS}."
    return Status(Level.GOOD, "Recording", text)


def _warning(ages: Ages, *, lost: int) -> Status | None:
    if ages.alarms:
        text = f"Alarms that are neither over nor acknowledged: {ages.alarms}."
        return Status(Level.BAD, "Alarm", text)
    if ages.problems:
        level = Level.WAITING if all(p.is_start for p in ages.problems) else Level.WARNING
        return Status(level, ages.problems[0].title, _sentence(ages.problems))
    if ages.displayed_s is not None and ages.displayed_s > STALE_S:
        text = f"No displayed frame for {ages.displayed_s:.0f} s: scoring is paused."
        return Status(Level.WARNING, "No displayed frames", text)
    return _loss(ages, lost=lost)


def _loss(ages: Ages, *, lost: int) -> Status | None:
    """The warning of what was lost or late in the last seconds, else of the newest event."""
    if ages.loss_s is not None and ages.loss_s < _LOSS_DISPLAYED_S and lost:
        text = f"Messages that the log lacks since the start: {lost}."
        return Status(Level.WARNING, "Lost data", text)
    if ages.late.frames >= _LEAST_FRAMES and ages.late.late > LATE_SHARE * ages.late.frames:
        return Status(Level.WARNING, "Late frames", _late(ages))
    if ages.warning:
        return Status(Level.WARNING, "Warning", f"{ages.warning}.")
    return None


def _late(ages: Ages) -> str:
    late, frames = ages.late.late, ages.late.frames
    share = f"{100 * late / frames:.0f} %"
    cause = f"; {ages.late_cause}" if ages.late_cause else ""
    return f"{late} of {frames} frames of the last 10 s were late ({share}){cause}."


def _before_first_frame(ages: Ages) -> Status:
    if ages.problems:
        text = f"No reconstruction yet: {_listed(ages.problems)}."
    elif ages.responses_s is not None:
        text = "Activity arrives; no reconstruction yet."
    elif ages.displayed_s is not None:
        text = f"Displayed frames arrive; no activity yet: {_ACTIVITY_BEGINS}."
    else:
        text = "No data from screen or microscope yet."
    return Status(Level.WAITING, "Waiting", text)


def _stale_cause(ages: Ages) -> str:
    if ages.responses_s is not None and ages.responses_s > STALE_S:
        return "No activity arrives: check the microscope."
    return "Activity still arrives: check the decoder."


def _listed(problems: tuple[Problem, ...]) -> str:
    """The first problems, which are upstream of the others."""
    return "; ".join(problem.sentence for problem in problems[:_MOST_NAMED])


def _sentence(problems: tuple[Problem, ...]) -> str:
    listed = _listed(problems)
    return f"{listed[:1].upper()}{listed[1:]}."
