"""Errors of the stimulus screen and its clips."""

from collections.abc import Sequence
from pathlib import Path

from rtdecode.schema.errors.families import BadInputError


class NoDisplayError(BadInputError):
    """There is no screen, and no X server can provide one."""

    def __init__(self, *, got: str) -> None:
        super().__init__(
            f"no screen for the stimulus ({got}): set DISPLAY, install Xvfb (`apt-get install xvfb "
            f"libglu1-mesa libfontconfig1`), or set stimulus.presenter: headless"
        )


class PresenterMissingError(BadInputError):
    """PsychoPy is not installed in this interpreter."""

    def __init__(self) -> None:
        super().__init__(
            "psychopy is not installed: run `make install`, or "
            '`pip install "rtdecode[stimulus]"`, or set stimulus.presenter: headless'
        )


class RefreshRateError(BadInputError):
    """The refresh rate of the monitor does not agree with the movie or the config."""

    def __init__(self, *, got_hz: float, expected: str) -> None:
        super().__init__(
            f"the monitor refreshes {got_hz:.4g} times a second, expected {expected}: set the mode of "
            f"the monitor, set stimulus.refresh_hz to the measured rate, or lower frame_rate_hz"
        )


class PatchWordError(BadInputError):
    """Values of the photodiode's patch that no successive frames of the coded sequence have."""

    def __init__(self, *, got: Sequence[bool], needed: int) -> None:
        word = "".join("1" if white else "0" for white in got)
        super().__init__(
            f"the values {word or 'none'} of the patch do not occur in its coded sequence: expected "
            f"at least {needed} successive frames of stimulus.patch.code: coded"
        )


class TraceSourceError(BadInputError):
    """There is no such source of a photodiode's trace."""

    def __init__(self, *, got: str, files: Sequence[str]) -> None:
        super().__init__(
            f"--photodiode {got} is not known: give a file ({', '.join(files)}), lsl:NAME, "
            f"behaviour:running, behaviour:pupil_diameter, or scans where there is no photodiode"
        )


class TraceTooShortError(BadInputError):
    """The trace of a photodiode, or the session beside it, has too few edges."""

    def __init__(self, *, edges: int, needed: int) -> None:
        super().__init__(
            f"trace and session have {edges} changes of the patch in common, expected at least {needed}: "
            f"record at least 10 s of a running stimulus, with stimulus.patch.size_px above 0"
        )


class TraceFlatError(BadInputError):
    """The trace of a photodiode has no two levels."""

    def __init__(self, *, span: float, noise: float) -> None:
        super().__init__(
            f"the trace has no edges: its levels differ by {span:.3g}, its noise SD is {noise:.3g}; put "
            f"the photodiode on the patch (stimulus.patch.corner), enlarge stimulus.patch.size_px, or "
            f"raise the gain"
        )


class TraceClippedError(BadInputError):
    """The trace of a photodiode is cut off at its bright level."""

    def __init__(self, *, level: float, share: float) -> None:
        super().__init__(
            f"the trace is clipped: {100 * share:.0f} % of its bright samples equal {level:.6g}; lower "
            f"the gain, because a clipped edge has a wrong time"
        )


class TraceRateError(BadInputError):
    """The intervals of a trace are not those of the frames."""

    def __init__(self, *, got_ms: float, frame_ms: float) -> None:
        super().__init__(
            f"the trace has intervals of {got_ms:.4g} ms, and frames last {frame_ms:.4g} ms: give its "
            f"sampling rate as --rate-hz, record at least three samples a frame, and filter a "
            f"backlight that flickers"
        )


class TraceUnmatchedError(BadInputError):
    """The trace of a photodiode is not that of the frames in the log."""

    def __init__(self, *, matched: int, expected: int, check: str) -> None:
        super().__init__(
            f"{matched} of {expected} changes of the patch in the log are in the trace: give the session "
            f"that ran while it was recorded, with brighter light as the higher level, and check {check}"
        )


class TraceEarlyError(BadInputError):
    """The photodiode saw light before the flip."""

    def __init__(self, *, delay_ms: float) -> None:
        super().__init__(
            f"light is {-delay_ms:.1f} ms earlier than the flip, which no monitor can do: the times of the "
            f"trace are not CLOCK_MONOTONIC of this host; correct them, or give levels with --rate-hz, "
            f"which yields the spread alone"
        )


class LeakAbsentError(BadInputError):
    """The light of the screen is not found in the scans."""

    def __init__(self, *, z: float, needed: float) -> None:
        super().__init__(
            f"the light of the screen is not found in the scans (z = {z:.1f}, expected at least "
            f"{needed:g}): display flashes of the whole screen for a minute, close the shutter of the "
            f"laser, uncover the objective, and raise the gain of the detector"
        )


class ClipError(BadInputError):
    """A clip cannot be displayed."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"clip {path} cannot be shown: {got}; give videos that ffmpeg reads "
            f"(mp4, mkv, avi, webm), at least one frame long"
        )


class LeakedClipError(BadInputError):
    """A clip to be scored is among the training clips of the twin."""

    def __init__(self, *, trial: int, clip: int, fraction: float) -> None:
        super().__init__(
            f"trial {trial} shows training clip {clip} ({100 * fraction:.0f} % of its frames match), so its "
            f"score would not be valid: score another --tier, or train without this clip"
        )


class ProtocolCodeError(BadInputError):
    """A protocol in Python raises an error."""

    def __init__(self, *, path: Path, line: int, got: str) -> None:
        where = f"{path}, line {line}" if line else f"{path}"
        super().__init__(
            f"{where}: {got}; correct the file, which must define the list `protocol` of blocks"
        )


class UnknownClipError(BadInputError):
    """A command names a clip that the stimulus does not have."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown clip '{got:.60}': expected one of {', '.join(known)}")


class UnknownParameterError(BadInputError):
    """A command names a parameter that no stimulus of the protocol has."""

    def __init__(self, *, got: str, known: Sequence[str]) -> None:
        names = f"expected one of {', '.join(known)}" if known else "there is no protocol"
        super().__init__(f"unknown parameter '{got:.60}': {names}")


class ParameterValueError(BadInputError):
    """A command sets a parameter of the protocol to a value that cannot be displayed."""

    def __init__(self, *, name: str, value: float, got: str) -> None:
        super().__init__(f"{name} cannot be set to {value:g}: {got}")
