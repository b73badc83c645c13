"""Joins behaviour, which has its own sampling rate, to the responses of each frame."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import Behaviour, Responses, WindowFrame

CHANNELS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")
_KEPT_SAMPLES = 2048
_LONGEST_GAP_NS = 2_000_000_000


class BehaviourJoin:
    """Stage that turns Responses and Behaviour, in order of arrival, into WindowFrames.

    Parameters
    ----------
    neutral
        (channel,) float32, used until the first sample arrives: the mean behaviour of the twin's
        training data.

    Notes
    -----
    Each frame gets the behaviour at its start, by linear interpolation between samples, or the last
    sample where no newer one has arrived. Across more than 2 s without a sample nothing is
    interpolated: the sample before the gap is held. A sample with NaN or infinity is left out, as
    if it had not been sent. Only samples that arrived before the responses
    of the frame are used, so a replay gives the same values.
    """

    def __init__(self, neutral: NDArray[np.float32]) -> None:
        self._neutral = neutral.astype(np.float32)
        self._times_ns: deque[int] = deque(maxlen=_KEPT_SAMPLES)
        self._samples: deque[NDArray[np.float32]] = deque(maxlen=_KEPT_SAMPLES)

    def step(self, items: Sequence[Behaviour | Responses]) -> Iterator[WindowFrame]:
        for item in items:
            if isinstance(item, Responses):
                yield WindowFrame(item, self.at(item.t_frame_start_ns))
            else:
                self._add(item)

    def at(self, t_ns: int) -> NDArray[np.float32]:
        """(channel,) float32 at `t_ns`."""
        if not self._times_ns:
            return self._neutral
        times = np.fromiter(self._times_ns, np.int64, len(self._times_ns))
        after = int(np.searchsorted(times, t_ns))
        if after == len(times):
            return self._samples[-1]
        if after == 0:
            return self._samples[0]
        before_ns, after_ns = int(times[after - 1]), int(times[after])
        if after_ns - before_ns > _LONGEST_GAP_NS and t_ns < after_ns:
            return self._samples[after - 1]
        part = np.float32((t_ns - before_ns) / (after_ns - before_ns))
        mixed = (1 - part) * self._samples[after - 1] + part * self._samples[after]
        return mixed.astype(np.float32)

    def _add(self, sample: Behaviour) -> None:
        if self._times_ns and sample.t_sample_ns <= self._times_ns[-1]:
            return  # repeated, or out of order: a newer sample has been used already
        with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite
            values = np.array(
                [sample.running_cm_s, sample.pupil_diameter_px, *sample.pupil_center_px],
                np.float32,
            )
        if not np.isfinite(values).all():
            return  # one NaN in the window would make all later estimates NaN
        self._times_ns.append(sample.t_sample_ns)
        self._samples.append(values)
