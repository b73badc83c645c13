"""Batches of short training segments, drawn reproducibly for each training step."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.datasets.video_session import VideoSession
from rtdecode.schema.errors import TooShortError


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of equal length; `responses` belong to the last `tail` frames of `video`."""

    video: Float[Tensor, "batch frame row col"]
    behaviour: Float[Tensor, "batch frame channel"]
    responses: Float[Tensor, "batch tail neuron"]
    """NaN where a neuron was not measured."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on `device`."""
        return Batch(self.video.to(device), self.behaviour.to(device), self.responses.to(device))


class Crops:
    """Crops of the trials of a tier; each pass over the data uses new positions and a new order.

    The batch of step k depends on the seed and on k alone, so that an interrupted training resumes
    with identical batches and several machines can share a pass.

    Parameters
    ----------
    data, tier
        Session and tier from which crops are taken.
    batch
        Crops for each step on one machine.
    frames
        Frames of a crop with activity.
    history
        Preceding frames, for which a crop has video and behaviour only.
    seed
        Seed of positions and order.
    cutmix
        Fraction of crops in which a box of the video is replaced by that of another crop (CutMix,
        Yun et al. 2019, arXiv:1905.04899). Activity is mixed in proportion to the areas; it is NaN
        unless the neuron was measured in both crops.

    Raises
    ------
    TooShortError
        If a trial is shorter than `history` + `frames`.
    """

    def __init__(
        self,
        data: VideoSession,
        tier: str,
        *,
        batch: int,
        frames: int,
        history: int,
        seed: int,
        cutmix: float = 0.0,
    ) -> None:
        self._data, self._batch, self._frames, self._history = data, batch, frames, history
        self._seed, self._cutmix = seed, cutmix
        self._trials = data.trials(tier)
        slots = [(data.frames(k) - history) // frames for k in self._trials]
        if min(slots) < 1:
            raise TooShortError(
                what=f"trial {self._trials[int(np.argmin(slots))]} of {data.folder}",
                frames=min(data.frames(k) for k in self._trials),
                needed=history + frames,
            )
        self._ends = np.array(list(accumulate(slots)))

    def batch(self, step: int, *, rank: int = 0, ranks: int = 1) -> Batch:
        """The crops of `step` on machine `rank` of `ranks`."""
        first = (step * ranks + rank) * self._batch
        parts = [self._crop(number) for number in range(first, first + self._batch)]
        batch = Batch(*(torch.stack(kind) for kind in zip(*parts, strict=True)))
        return self._mixed(batch, np.random.default_rng([self._seed, 1, step, rank]))

    def _crop(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        a_pass, place = divmod(number, int(self._ends[-1]))
        rng = np.random.default_rng([self._seed, 0, a_pass])
        slot = int(rng.permutation(self._ends[-1])[place])
        index = int(np.searchsorted(self._ends, slot, side="right"))
        trial, within = self._trials[index], slot - int(self._ends[index - 1] if index else 0)
        spare = (self._data.frames(trial) - self._history) % self._frames
        first = within * self._frames + int(rng.integers(0, spare + 1))
        cut = self._data.segment(trial, first=first, frames=self._history + self._frames)
        return (
            torch.from_numpy(cut.video),
            torch.from_numpy(cut.behaviour),
            torch.from_numpy(cut.responses[self._history :]),
        )

    def _mixed(self, batch: Batch, rng: np.random.Generator) -> Batch:
        video, responses = batch.video.clone(), batch.responses.clone()
        for crop in np.flatnonzero(rng.random(len(video)) < self._cutmix):
            other = (crop + 1) % len(video)
            rows, cols, area = _box(rng, *video.shape[2:])
            video[crop, :, rows, cols] = batch.video[other, :, rows, cols]
            responses[crop] = torch.lerp(batch.responses[crop], batch.responses[other], area)
        return Batch(video, batch.behaviour, responses)


def _box(rng: np.random.Generator, rows: int, cols: int) -> tuple[slice, slice, float]:
    """A random box (rows, cols) with the aspect of the screen, and its fraction of the area."""
    side = np.sqrt(rng.random())
    high, wide = round(rows * side), round(cols * side)
    top, left = int(rng.integers(0, rows - high + 1)), int(rng.integers(0, cols - wide + 1))
    return slice(top, top + high), slice(left, left + wide), high * wide / (rows * cols)
