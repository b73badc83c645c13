"""Policy `show_back`: the animal gets its own reconstructions as clips, beside the originals.

The design follows from what must be distinguished. The response to a reconstruction of clip A is
compared with the response to A. Both must agree by more than any two clips do that look like
reconstructions: blurred, of low contrast, with the artefacts of this decoder. Hence the sham for
A is the reconstruction of another clip of the same block, which shares all of that and differs in
content alone. A reconstruction with its frames in random order would differ in temporal statistics
too, and any response to it would be dissimilar for that reason.

A block has two parts. In the first, each clip is displayed once, as the source of its
reconstruction. In the second, each clip and each reconstruction is displayed `repeats` times, in
random order; each reconstruction is shown back for its own clip and sham for the others (a
crossover design), so that no trial is spent on sham alone. The repeated originals give the noise
ceiling. The next block has the reverse order, so that slow drifts of attention or of the signal
cancel.

Sources have a name of their own, because they are not compared with what is shown back: a
reconstruction has the noise of the responses that it was made of, and the response to it resembles
those by that noise too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rtdecode.control.policies.options import OptionCheck
from rtdecode.control.policies.presentations import OnScreen, Screen, Turns, seeded
from rtdecode.control.policy import Observation, PolicySetting, Request
from rtdecode.schema.control import ActionName, ClipRole, role_of
from rtdecode.schema.messages import DisplayedFrame, Reconstruction

_NS_PER_S = 1_000_000_000
_RETRY_S = 1.0
"""Time in s after which a stimulus that was not displayed is asked for again."""
_MOST_MISSING = 0.1
"""Largest fraction of frames without a reconstruction; the frame before fills in for them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One stimulus of a block."""

    role: ClipRole
    clip: str

    @property
    def name(self) -> str:
        """Name under which it is displayed and logged."""
        return self.role.name_of(self.clip)


def block_items(clips: Sequence[str], *, repeats: int, rng: np.random.Generator) -> list[Item]:
    """Order of the stimuli of one block.

    Parameters
    ----------
    clips
        The clips of the block.
    repeats
        Presentations of each original and of each reconstruction in the second part.
    rng
        Draws the order.
    """
    sources = [Item(ClipRole.SOURCE, clip) for clip in clips]
    compared = [
        Item(role, clip) for clip in clips for role in (ClipRole.ORIGINAL, ClipRole.SHOWN_BACK)
    ]
    parts = [sources] + [compared] * repeats
    return [part[k] for part in parts for k in rng.permutation(len(part))]


def reversed_block(items: Sequence[Item]) -> list[Item]:
    """The stimuli of `items` in reverse order, sources first."""
    backwards = items[::-1]
    return sorted(backwards, key=lambda item: item.role is not ClipRole.SOURCE)


@dataclass(slots=True)
class _Collected:
    """Reconstructed frames of one presentation, by their number in the clip."""

    presentation: int
    name: str
    n_frames: int
    frames: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def as_clip(self) -> NDArray[np.uint8] | None:
        """(frame, row, col) grey levels, a missing frame as the one before it; None for too few."""
        if len(self.frames) < (1 - _MOST_MISSING) * self.n_frames:
            return None
        known = np.array(sorted(self.frames))
        places = np.searchsorted(known, np.arange(self.n_frames), side="right") - 1
        levels = np.stack([self.frames[k] for k in known[np.maximum(places, 0)].tolist()])
        return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructedClip:
    """The reconstruction of one presentation of a clip."""

    presentation: int
    name: str
    """Name under which the clip was displayed."""
    frames: NDArray[np.uint8] | None
    """(frame, row, col) grey levels; None where more than a tenth of the frames is missing."""


class Reconstructions:
    """Collects the reconstruction of each presentation of some clips.

    Parameters
    ----------
    n_frames
        Number of frames of each clip that are displayed, by name.
    """

    def __init__(self, n_frames: Mapping[str, int]) -> None:
        self._n_frames = n_frames
        self._open: _Collected | None = None

    def add(self, decoded: Reconstruction, shown: OnScreen | None) -> Iterator[ReconstructedClip]:
        """The clip whose presentation ends with this reconstruction, if one does."""
        if shown is None or not decoded.warm:
            return
        if self._open is not None and shown.presentation != self._open.presentation:
            yield from self._closed(self._open)
        n_frames = self._n_frames.get(shown.clip, 0)
        if shown.index >= n_frames:
            return
        if self._open is None:
            self._open = _Collected(shown.presentation, shown.clip, n_frames)
        self._open.frames[shown.index] = decoded.luminance.copy()
        if shown.index == n_frames - 1:
            yield from self._closed(self._open)

    def _closed(self, collected: _Collected) -> Iterator[ReconstructedClip]:
        self._open = None
        yield ReconstructedClip(collected.presentation, collected.name, collected.as_clip())


class _State(StrEnum):
    """Of the stimulus that is due."""

    TO_ASK = "to_ask"
    ASKED = "asked"
    DISPLAYED = "displayed"


class ShowBack:
    """Displays clips and their reconstructions in alternation, from arming on.

    A stimulus that was asked for and not displayed is asked for again. While the reconstruction
    that is due next is not complete, the protocol of the stimulus continues. A clip of which more
    than a tenth was not reconstructed is displayed and collected again.

    Parameters
    ----------
    clips
        Clips of a block, at least two; None: the first two.
    repeats
        Presentations of each original and of each reconstruction in the second part of a block.
    seconds
        Length in s from the start of each clip that is displayed; None: in full length.
    lead_s
        Time in s before the end of a stimulus at which the next one is asked for.
    """

    def __init__(
        self,
        setting: PolicySetting,
        *,
        clips: Sequence[str] | None = None,
        repeats: int = 1,
        seconds: float | None = None,
        lead_s: float = 0.2,
    ) -> None:
        check = OptionCheck("show_back")
        named = setting.clips[:2] if clips is None else clips
        self._clips = check.clips("clips", named, setting.clips, at_least=2)
        self._repeats = check.count("repeats", repeats)
        seconds = None if seconds is None else check.positive("seconds", seconds)
        lead_s = check.number("lead_s", lead_s, low=0)
        self._rng = seeded(setting.seed, 3)
        self._screen = Screen(setting.frame_rate_hz)
        self._turns = Turns(setting, lead_s=lead_s, dwell_s=seconds)
        n_frames = {clip: self._turns.n_frames(clip) or 0 for clip in self._clips}
        self._originals = {clip: setting.clip_frames(clip)[:n] for clip, n in n_frames.items()}
        for role in ClipRole:
            for clip, n in n_frames.items():
                self._turns.add_clip(role.name_of(clip), n)
        self._reconstructions = Reconstructions(
            {ClipRole.SOURCE.name_of(clip): n for clip, n in n_frames.items()}
        )
        self._back: dict[str, NDArray[np.uint8]] = {}
        self._order: list[Item] = []
        self._items: list[Item] = []
        self._block, self._place = -1, 0
        self._state, self._asked_ns, self._presentation = _State.TO_ASK, 0, -1
        self._n_asked = 0
        self._start_block()

    def decide(self, observation: Observation) -> list[Request]:
        body = observation.body
        due_ns: int | None = None
        if isinstance(body, DisplayedFrame):
            now = self._screen.add(body)
            due_ns = self._turns.due_ns(now)
            self._note(now, is_ending=due_ns is not None)
        if isinstance(body, Reconstruction):
            shown = self._screen.at(body.t_frame_mid_ns)
            for source in self._reconstructions.add(body, shown):
                self._keep(source)
        if not observation.armed:
            self._state = _State.TO_ASK
            return []
        return self._asked(observation.t_ns, due_ns or 0)

    def _note(self, now: OnScreen, *, is_ending: bool) -> None:
        """Note what the screen displays: the stimulus that was asked for, or another one."""
        is_new = now.presentation != self._presentation
        self._presentation = now.presentation
        item = self._items[self._place]
        if is_new and self._state is _State.ASKED and now.clip == item.name:
            self._state, self._n_asked = _State.DISPLAYED, 0
        elif is_new and self._state is _State.DISPLAYED:
            self._state = _State.TO_ASK
        if is_ending and self._state is _State.DISPLAYED:
            self._place += 1
            self._state = _State.TO_ASK
            if self._place == len(self._items):
                self._start_block()

    def _keep(self, source: ReconstructedClip) -> None:
        _, clip = role_of(source.name)
        if source.frames is not None:
            self._back[clip] = source.frames
        elif clip not in self._back:
            place = self._place + (self._state is not _State.TO_ASK)
            self._items.insert(place, Item(ClipRole.SOURCE, clip))

    def _asked(self, t_ns: int, due_ns: int) -> list[Request]:
        if self._state is _State.ASKED and t_ns > self._asked_ns + round(_RETRY_S * _NS_PER_S):
            self._state = _State.TO_ASK
        item = self._items[self._place]
        is_back = item.role is ClipRole.SHOWN_BACK
        frames = self._back.get(item.clip) if is_back else self._originals[item.clip]
        if self._state is not _State.TO_ASK or frames is None:
            return []
        self._state, self._asked_ns = _State.ASKED, max(t_ns, due_ns)
        self._n_asked += 1
        reason = f"block {self._block}, {self._place + 1} of {len(self._items)}: {item.role}"
        if self._n_asked > 1:
            reason += f", asked for {self._n_asked} times"
        return [
            Request(
                ActionName.SHOW_FRAMES, item.name, reason=reason, t_due_ns=due_ns, frames=frames
            )
        ]

    def _start_block(self) -> None:
        self._block, self._place = self._block + 1, 0
        self._back = {}
        if self._block % 2:
            self._order = reversed_block(self._order)
        else:
            self._order = block_items(self._clips, repeats=self._repeats, rng=self._rng)
        self._items = list(self._order)
