"""What the page says to the scientist: one word, one sentence, and how serious it is."""

from dataclasses import dataclass
from enum import StrEnum

_SILENT_S = 1.5
_LOSS_SHOWN_S = 10.0


class Mood(StrEnum):
    """How serious what the page says is."""

    GOOD = "good"
    WAITING = "waiting"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the page says."""

    mood: Mood
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds since the last message of each kind; None where none ever came."""

    decoded_s: float | None = None
    shown_s: float | None = None
    responses_s: float | None = None
    loss_s: float | None = None


def notice(ages: Ages, *, warm: bool, ended: bool, lost: int) -> Notice:
    """Say the most serious thing that is true."""
    if ended:
        return Notice(Mood.WAITING, "Ended", "The session has ended; these are its last frames.")
    if ages.decoded_s is None:
        return _before_the_first(ages)
    return _silence(ages) or _running(ages, warm=warm, lost=lost)


def _silence(ages: Ages) -> Notice | None:
    if ages.decoded_s is not None and ages.decoded_s > _SILENT_S:
        return Notice(Mood.BAD, "Stale", _who_is_silent(ages, ages.decoded_s))
    if ages.shown_s is not None and ages.shown_s > _SILENT_S:
        return Notice(
            Mood.WARNING,
            "No truth",
            f"The screen has reported nothing for {ages.shown_s:.0f} s: nothing can be scored.",
        )
    return None


def _running(ages: Ages, *, warm: bool, lost: int) -> Notice:
    if not warm:
        return Notice(Mood.WAITING, "Warming up", "The decoder's window fills; not yet scored.")
    if ages.loss_s is not None and ages.loss_s < _LOSS_SHOWN_S:
        return Notice(Mood.WARNING, "Lost data", f"Messages were lost: {lost} since the start.")
    if ages.shown_s is None:
        return Notice(Mood.GOOD, "Live", "This run shows nothing, so there is no truth to compare.")
    return Notice(Mood.GOOD, "Live", "")


def _before_the_first(ages: Ages) -> Notice:
    if ages.responses_s is not None:
        return Notice(Mood.WAITING, "Waiting", "Activity comes in; no reconstruction yet.")
    if ages.shown_s is not None:
        return Notice(Mood.WAITING, "Waiting", "The screen shows frames; no activity yet.")
    return Notice(Mood.WAITING, "Waiting", "Nothing has come yet from screen or microscope.")


def _who_is_silent(ages: Ages, decoded_s: float) -> str:
    silent = f"No reconstruction for {decoded_s:.0f} s: the picture is old."
    if ages.responses_s is not None and ages.responses_s > _SILENT_S:
        return f"{silent} No activity comes in either: look at the microscope."
    return f"{silent} Activity still comes in: look at the decoder."
