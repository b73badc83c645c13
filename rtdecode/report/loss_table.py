"""Losses of a session in four layers, which are never summed, and what each means."""

from rtdecode.report.session_summary import SessionSummary

_ROUNDED_FROM = 10.0
LOSS_HEAD = ("layer", "lost", "of", "what it means")


def loss_rows(summary: SessionSummary) -> list[list[str]]:
    """One row a layer."""
    found = [
        _row(
            "scans lost by the microscope",
            summary.lost_scans,
            summary.scans + summary.lost_scans,
            "They never reached rtdecode and are in no file; by the microscope's own numbers.",
        ),
        _row(
            "messages that the log lacks",
            summary.lost_messages,
            sum(summary.messages.values()) + summary.lost_messages,
            "They were sent and not recorded, or cannot be read: "
            + (_by_stream(summary) or "none") + ".",
        ),
    ]  # fmt: skip
    if summary.decoder:
        found += _decoding(summary)
    return found


def _decoding(summary: SessionSummary) -> list[list[str]]:
    shed = f", {summary.frames_shed:,} of them left out in overload" if summary.frames_shed else ""
    late = summary.late_percent is not None
    return [
        _row(
            "scans not decoded",
            summary.scans_not_decoded,
            summary.scans_to_decode,
            "They are in the log: `rtdecode replay` decodes them.",
        ),
        _row(
            "frames not decoded",
            summary.frames_not_decoded,
            summary.frames_out + summary.frames_not_decoded,
            f"Between the first and the last decoded frame{shed}; a replay has them.",
        ),
        _row(
            "frames late",
            summary.late_frames if late else None,
            summary.frames_out,
            "They were decoded, and left after their due time; this matters to a closed loop and "
            "not to the reconstruction.",
        ),
    ]


def _by_stream(summary: SessionSummary) -> str:
    return ", ".join(f"{n:,} of {stream}" for stream, n in summary.lost_by_stream.items())


def _row(layer: str, lost: int | None, of: int, meaning: str) -> list[str]:
    if lost is None:
        return [layer, "not measured", f"{of:,}", meaning]
    percent = 100 * lost / of if of else 0.0
    share = f" ({percent:.{0 if percent >= _ROUNDED_FROM else 2}f} %)" if lost and of else ""
    return [layer, f"{lost:,}{share}", f"{of:,}" if of else "–", meaning]
