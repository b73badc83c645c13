"""Trials as they were displayed: one Trial message at the end of each, from the flips of frames."""

from rtdecode.schema.control import Trial
from stimulus.playlist import DisplayedTrial, MovieFrame


class TrialLog:
    """Makes Trial messages of flips.

    A trial begins at the flip of its first frame and ends at the flip of the first frame of
    something else: another trial, an interval or a wait. Grey frames of a pause within a trial
    neither end it nor count.

    Parameters
    ----------
    light_delay_ms
        Delay from flip to light, as in `displayed_frame`.
    frame_rate_hz
        Frame rate of the movie, by which the last trial of a run ends.
    pause_clip
        Name of the frames that are displayed during a pause.
    """

    def __init__(self, *, light_delay_ms: float, frame_rate_hz: float, pause_clip: str) -> None:
        self._delay_ns = round(light_delay_ms * 1e6)
        self._frame_ns = round(1e9 / frame_rate_hz)
        self._pause_clip = pause_clip
        self._shown: DisplayedTrial | None = None
        self._start_ns = self._last_ns = self._frames = 0

    def flipped(self, frame: MovieFrame, t_flip_ns: int) -> Trial | None:
        """Record the flip of `frame`; the trial that it ends, if it ends one."""
        t_ns = t_flip_ns + self._delay_ns
        if frame.clip == self._pause_clip and frame.of_trial is None:
            self._last_ns = t_ns
            return None
        over = self._over(t_ns) if frame.of_trial is not self._shown else None
        if frame.of_trial is not self._shown:
            self._shown, self._start_ns, self._frames = frame.of_trial, t_ns, 0
        self._frames, self._last_ns = self._frames + 1, t_ns
        return over

    def ended(self) -> Trial | None:
        """The trial during which the run ends, one frame after its last flip."""
        over, self._shown = self._over(self._last_ns + self._frame_ns), None
        return over

    def _over(self, t_end_ns: int) -> Trial | None:
        shown = self._shown
        if shown is None:
            return None
        return Trial(
            number=shown.number,
            block=shown.block,
            stimulus=shown.stimulus,
            parameters=dict(shown.parameters),
            t_start_ns=self._start_ns,
            t_end_ns=t_end_ns,
            n_frames=self._frames,
            cause=shown.cause,
        )
