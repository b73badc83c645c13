"""The animal's screen and the clips on it."""

from pathlib import Path

from rtdecode.schema.errors.families import BadInputError


class NoDisplayError(BadInputError):
    """There is neither a screen nor an X server that could make one."""

    def __init__(self, *, got: str) -> None:
        super().__init__(
            f"no screen for the stimulus ({got}): set DISPLAY, install Xvfb (`apt-get install xvfb "
            f"libglu1-mesa libfontconfig1`), or set stimulus.presenter: headless"
        )


class PresenterMissingError(BadInputError):
    """PsychoPy is not installed in this interpreter."""

    def __init__(self) -> None:
        super().__init__(
            "psychopy is not installed: run `make install`, or `pip install 'rtdecode[stimulus]'`, "
            "or set stimulus.presenter: headless"
        )


class RefreshRateError(BadInputError):
    """The monitor's refresh rate does not fit the movie or the config."""

    def __init__(self, *, got_hz: float, expected: str) -> None:
        super().__init__(
            f"the monitor refreshes {got_hz:.4g} times a second, expected {expected}: set the monitor's "
            f"mode, set stimulus.refresh_hz to what it really does, or lower frame_rate_hz"
        )


class ClipError(BadInputError):
    """A clip cannot be shown."""

    def __init__(self, *, path: Path, got: str) -> None:
        super().__init__(
            f"clip {path} cannot be shown: {got}; give videos that ffmpeg reads "
            f"(mp4, mkv, avi, webm), at least one frame long"
        )


class LeakedClipError(BadInputError):
    """A clip that would be scored was among those the twin was trained on."""

    def __init__(self, *, trial: int, clip: int, fraction: float) -> None:
        super().__init__(
            f"trial {trial} shows what training clip {clip} showed ({100 * fraction:.0f} % of its "
            f"frames match): a score would say nothing; score other trials, or train without this clip"
        )
