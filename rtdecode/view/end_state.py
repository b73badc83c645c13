"""What the page states once a run has ended: length, final score, losses, and where the report is.

>>> end_losses(OutputCount(), decodes=True)
'Nothing was lost, and no frame was late.'
"""

import math

from rtdecode.evaluate.output_count import OutputCount
from rtdecode.schema.messages import Score


def end_losses(count: OutputCount, *, decodes: bool) -> str:
    """The losses of a whole run in one sentence, by layer; they are never summed."""
    counters = count.counters()
    found = {
        "scans that the microscope lost": count.lost_scans,
        "messages that the log lacks": round(counters["lost_messages"]),
    }
    if decodes:
        found["frames that were not decoded"] = count.frames_not_decoded
    listed = [f"{n:,} {what}" for what, n in found.items() if n]
    late = f"{count.n_late:,} of {count.n_frames:,} frames were late"
    if not listed:
        if not decodes:
            return "Nothing was lost."
        stated = f"but {late}" if count.n_late else "and no frame was late"
        return f"Nothing was lost, {stated}."
    return f"Lost: {', '.join(listed)}{f'; {late}' if count.n_late else ''}."


def end_score(score: Score | None, *, decodes: bool) -> str:
    """The score of the whole run in one sentence."""
    if not decodes:
        return "The run recorded and decoded nothing, so there is no score."
    if score is None or not math.isfinite(score.video_r):
        return "Nothing was scored."
    what = "over the whole run" if score.final else f"over the last {score.window_s:.0f} s"
    return (
        f"Displayed and decoded frames correlated with video r {score.video_r:.2f} and "
        f"frame r {score.frame_r:.2f} {what}."
    )


def end_alarms(n: int) -> str:
    """That alarms are left at the end, in one sentence; empty without one."""
    if not n:
        return ""
    stated = "One alarm was" if n == 1 else f"{n:,} alarms were"
    return f"{stated} neither over nor acknowledged: see the tab Events."
