"""Policy `template_match`: identifies which clip is being seen, and acts on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rtdecode.control.policies.clip_matcher import ClipMatch, ClipMatcher
from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.messages import Reconstruction


@dataclass(frozen=True, slots=True)
class Identified:
    """The clip that agrees best with the newest reconstructions."""

    clip: str
    r: float
    margin: float
    """Difference of its r and that of the next best clip."""
    frame: int
    """Frame of the clip that is being seen."""


class TemplateMatch:
    """Fires an output when the reconstruction agrees with one clip better than with all others.

    The last `window_frames` reconstructions are correlated with all frames of each clip
    (`ClipMatcher`). A clip is identified once its correlation is at least `above`, and exceeds that
    of the next best clip by at least `margin`, for `hold_frames` consecutive frames. It fires once
    for each time that a clip is identified. The value of the trigger is the place of the clip in
    `clips`, from 0.

    Attributes
    ----------
    identified
        The best clip of the newest window, whether or not it is certain; None without a window.

    Parameters
    ----------
    output
        Name of the output that fires.
    fire_on
        Clip that fires; None: each.
    clips
        Clips to distinguish, at least two; None: all.
    window_frames
        Number of reconstructions that are compared at once.
    above, margin
        Smallest correlation, and smallest difference to the next best clip.
    hold_frames
        Number of consecutive frames for which both must hold.
    refractory_s
        Shortest time in s between two triggers.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        output: str,
        fire_on: str | None = None,
        clips: Sequence[str] | None = None,
        window_frames: int = 15,
        above: float = 0.5,
        margin: float = 0.1,
        hold_frames: int = 5,
        refractory_s: float = 1.0,
    ) -> None:
        check = OptionCheck("template_match")
        self._output = check.text("output", output)
        self._clips = check.clips("clips", clips, setting.clips, at_least=2)
        self._fire_on = None if fire_on is None else check.one_of("fire_on", fire_on, self._clips)
        self._above = check.number("above", above, low=-1, high=1)
        self._margin = check.number("margin", margin, low=0, high=2)
        self._hold = check.count("hold_frames", hold_frames)
        self._refractory_ns = round(check.number("refractory_s", refractory_s, low=0) * 1e9)
        window_frames = check.count("window_frames", window_frames)
        frames = {clip: setting.clip_frames(clip) for clip in self._clips}
        shortest = min(len(one) for one in frames.values())
        if window_frames > shortest:
            expected = f"at most the {shortest} frames of the shortest clip"
            raise check.wrong("window_frames", window_frames, expected=expected)
        self._matcher = ClipMatcher(frames, setting.screen_mask, window_frames=window_frames)
        self.identified: Identified | None = None
        self._certain, self._held = "", 0
        self._fired_ns: int | None = None

    def decide(self, observation: Observation) -> list[Request]:
        if not isinstance(observation.body, Reconstruction):
            return []
        matches = self._matcher.add(observation.body)
        self.identified = _identified(matches) if matches else None
        newly = self._newly_certain()
        if newly is None or not self._may_fire(newly, observation.t_ns):
            return []
        self._fired_ns = observation.t_ns
        reason = (
            f"{newly.clip} at its frame {newly.frame}: r {newly.r:.3f}, "
            f"{newly.margin:.3f} above the next best clip"
        )
        value = float(self._clips.index(newly.clip))
        return [Request.trigger(self._output, value=value, reason=reason)]

    def _newly_certain(self) -> Identified | None:
        """The identified clip, in the frame in which it becomes certain."""
        now = self.identified
        if now is None or now.r < self._above or now.margin < self._margin:
            self._certain, self._held = "", 0
            return None
        self._held = self._held + 1 if now.clip == self._certain else 1
        self._certain = now.clip
        return now if self._held == self._hold else None

    def _may_fire(self, found: Identified, t_ns: int) -> bool:
        rested = self._fired_ns is None or t_ns - self._fired_ns >= self._refractory_ns
        return rested and self._fire_on in (None, found.clip)


def _identified(matches: Sequence[ClipMatch]) -> Identified:
    best, second = matches[0], matches[1]
    return Identified(best.clip, best.r, best.r - second.r, best.frame)
