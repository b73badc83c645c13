"""Similarity of the responses to clips and to their reconstructions, which were shown back.

Duties: cut the responses of a session by presentations of clips, and compare those to an original
with those to its own reconstruction (shown back), to the reconstruction of another clip (sham), and
to the original itself in another presentation (noise ceiling). It must not depend on how the clips
were chosen; which presentation is what follows from its name (`ClipRole`).

The similarity of two presentations is the Pearson correlation over neurons and frames of their
activity, after each neuron's mean was subtracted and its standard deviation divided out, both over
all compared presentations: otherwise neurons with a high mean rate would make any two responses
similar. It is computed for each second of a clip, and averaged over pairs of presentations. The
intervals are bootstrapped over these seconds, hence they hold for this animal and these clips.

Since the mean is that of the compared clips, responses to different clips are correlated slightly
below 0: in the demo about -0.05 with two clips, and -0.01 with four.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from rtdecode.evaluate.alignment import TruthOnGrid
from rtdecode.evaluate.metrics import Interval, bootstrap_interval, mean_of_finite, pearson_r
from rtdecode.schema.control import ClipRole, role_of
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import DisplayedFrame, Responses, Stamped

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_SEGMENT_S = 1.0
_FEWEST_CLIPS = 2
_TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class PresentedClip:
    """Responses of one presentation of a clip."""

    role: ClipRole
    clip: str
    activity: F32
    """(frame, neuron) in twin units; NaN where a response is missing."""


@dataclass(slots=True)
class _Presentation:
    name: str
    frames: dict[int, int] = field(default_factory=dict)
    """Frame of the grid by its number in the clip."""


class ClipResponses:
    """Collects the responses of a session by presentation, from its messages in any order.

    Parameters
    ----------
    grid
        The frame grid that all stages share.
    """

    def __init__(self, grid: FrameGrid) -> None:
        self._truth = TruthOnGrid(grid)
        self._presentations: list[_Presentation] = []
        self._index = -1
        self._responses: dict[int, Responses] = {}

    def add(self, message: Stamped) -> None:
        """Add a displayed frame or responses; other messages are ignored."""
        body = message.body
        if isinstance(body, Responses):
            self._responses[body.frame] = body
        if isinstance(body, DisplayedFrame):
            for truth in self._truth.add_displayed(message, body):
                self._add(truth.frame, truth.displayed)

    def presented(self) -> list[PresentedClip]:
        """All presentations for which responses exist, in their order."""
        return [found for one in self._presentations if (found := self._presented(one)) is not None]

    def _add(self, frame: int, displayed: DisplayedFrame) -> None:
        now = self._presentations[-1] if self._presentations else None
        if now is None or displayed.clip != now.name or displayed.index < self._index:
            now = _Presentation(displayed.clip)
            self._presentations.append(now)
        self._index = displayed.index
        now.frames[displayed.index] = frame

    def _presented(self, one: _Presentation) -> PresentedClip | None:
        found = {k: self._responses[f] for k, f in one.frames.items() if f in self._responses}
        if not found:
            return None
        neurons = next(iter(found.values())).activity.size
        activity = np.full((max(one.frames) + 1, neurons), np.nan, np.float32)
        for k, responses in found.items():
            activity[k] = np.where(responses.valid, responses.activity, np.nan)
        role, clip = role_of(one.name)
        return PresentedClip(role, clip, activity)


@dataclass(frozen=True, slots=True)
class ShownBackSimilarity:
    """Similarity to the responses to an original, each with its bootstrap 95 % interval."""

    shown_back: Interval
    """Of the responses to the reconstruction of the same clip."""
    sham: Interval
    """Of the responses to the reconstruction of another clip."""
    effect: Interval
    """shown_back − sham, by seconds."""
    ceiling: Interval
    """Of the responses to the same clip in another presentation; NaN without repeats."""
    n_clips: int
    n_seconds: int


def shown_back_similarity(
    presented: Sequence[PresentedClip], *, frame_rate_hz: float, rng: np.random.Generator
) -> ShownBackSimilarity | None:
    """Compare responses to originals with those to reconstructions that were shown back.

    Parameters
    ----------
    presented
        Presentations; clips that were not shown back are left out. Sources count for the ceiling
        alone, because a reconstruction has the noise of their responses.
    rng
        Resamples seconds.

    Returns
    -------
    The comparison; None with fewer than two clips of which both an original and a reconstruction
    were displayed for a second.
    """
    found = _by_role(presented)
    clips = sorted(found[ClipRole.ORIGINAL].keys() & found[ClipRole.SHOWN_BACK].keys())
    if len(clips) < _FEWEST_CLIPS:
        return None
    activity = _standardised({role: {c: by[c] for c in clips} for role, by in found.items()})
    rows = [
        row for clip in clips for row in _seconds(activity, clip, round(_SEGMENT_S * frame_rate_hz))
    ]
    if not rows:
        return None
    back, sham, ceiling = np.array(rows).T
    return ShownBackSimilarity(
        shown_back=bootstrap_interval(back.tolist(), rng=rng),
        sham=bootstrap_interval(sham.tolist(), rng=rng),
        effect=bootstrap_interval((back - sham).tolist(), rng=rng),
        ceiling=bootstrap_interval(ceiling.tolist(), rng=rng),
        n_clips=len(clips),
        n_seconds=len(rows),
    )


Activity = Mapping[ClipRole, Mapping[str, Sequence[F64]]]


def _by_role(presented: Sequence[PresentedClip]) -> dict[ClipRole, dict[str, list[F32]]]:
    found: dict[ClipRole, dict[str, list[F32]]] = {role: defaultdict(list) for role in ClipRole}
    for one in presented:
        found[one.role][one.clip].append(one.activity)
    return found


def _standardised(found: Mapping[ClipRole, Mapping[str, Sequence[F32]]]) -> Activity:
    """Each neuron with mean 0 and variance 1 over all presentations; 0 where it is missing."""
    everything = [one for by_clip in found.values() for each in by_clip.values() for one in each]
    joined = np.concatenate(everything).astype(np.float64)
    measured = np.isfinite(joined)
    n = np.maximum(measured.sum(0), 1)
    mean = np.where(measured, joined, 0).sum(0) / n
    sd = np.sqrt((np.where(measured, joined - mean, 0) ** 2).sum(0) / n)
    scale = np.where(sd > _TINY, sd, np.inf)
    return {
        role: {
            clip: [np.nan_to_num((one - mean) / scale) for one in each] for clip, each in by.items()
        }
        for role, by in found.items()
    }


def _seconds(activity: Activity, clip: str, frames: int) -> list[tuple[float, float, float]]:
    """Similarity to the shown-back, sham and repeated clip, in each second of `clip`."""
    originals = activity[ClipRole.ORIGINAL][clip]
    back = activity[ClipRole.SHOWN_BACK]
    own = list(product(originals, back[clip]))
    sham = [(a, b) for other in back if other != clip for a, b in product(originals, back[other])]
    same = list(combinations([*originals, *activity[ClipRole.SOURCE].get(clip, ())], 2))
    longest = max(len(one) for one in originals)
    found = [
        tuple(_mean_r(pairs, at, frames) for pairs in (own, sham, same))
        for at in range(0, longest - frames + 1, frames)
    ]
    return [(r, other, again) for r, other, again in found if np.isfinite(r) and np.isfinite(other)]


def _mean_r(pairs: Sequence[tuple[F64, F64]], start: int, frames: int) -> float:
    """Mean correlation over neurons and the frames from `start` on; NaN where no pair has them."""
    span = slice(start, start + frames)
    whole = [(a, b) for a, b in pairs if min(len(a), len(b)) >= span.stop]
    return mean_of_finite([pearson_r(a[span], b[span]) for a, b in whole])
