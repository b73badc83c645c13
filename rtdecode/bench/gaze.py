"""Eye movements: displays as the retina sees them, and a twin that corrects its input for gaze.

Receptive fields are fixed on the retina. While the gaze is g[t] pixels from its mean, the retina
has at pixel p what the screen displays at p + g[t].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rtdecode.twins.readout import index_on
from rtdecode.twins.twin import BEHAVIOUR_CHANNELS, TailTwin, Twin, TwinSpec, predict_tail

F32 = NDArray[np.float32]

_X, _Y = (BEHAVIOUR_CHANNELS.index(name) for name in ("pupil_x_px", "pupil_y_px"))


@dataclass(frozen=True, slots=True)
class GazeMap:
    """Gaze on the screen as a linear function of the pupil's position.

    mean_px: mean pupil position (x, y) in px of the eye camera. gain: pixels of the video for each
    px of the camera.
    """

    mean_px: tuple[float, float]
    gain: float

    def gaze_px(self, behaviour: F32) -> F32:
        """(frame, 2) gaze (x, y) in pixels of the video, from (frame, channel) behaviour."""
        centre = np.asarray(self.mean_px, np.float32)
        return np.asarray((behaviour[..., [_X, _Y]] - centre) * np.float32(self.gain), np.float32)


def gaze_map(behaviours: Sequence[F32], *, sd_px: float) -> GazeMap:
    """The map by which the gaze has a standard deviation of `sd_px` pixels of the video.

    `behaviours` are the (frame, channel) behaviour of all trials. Without any movement of the pupil
    the gain is 0.
    """
    pupil = np.concatenate(behaviours)[:, [_X, _Y]].astype(np.float64)
    sd = float(np.sqrt(pupil.var(0).mean()))
    x, y = pupil.mean(0).tolist()
    return GazeMap((x, y), sd_px / sd if sd else 0.0)


def moved(
    video: Float[Tensor, "image row col"], gaze_px: Float[Tensor, "image 2"]
) -> Float[Tensor, "image row col"]:
    """The images as the retina has them, by bilinear interpolation; edges are continued."""
    rows, cols = video.shape[1:]
    sides = (torch.arange(side, device=video.device) for side in (rows, cols))
    y, x = torch.meshgrid(*sides, indexing="ij")
    at = torch.stack([x, y], -1) + gaze_px[:, None, None]
    # pixels of the image to the coordinates -1 to 1 of grid_sample
    size = index_on(video.device, (cols - 1, rows - 1))
    return functional.grid_sample(
        video[:, None], 2 * at / size - 1, padding_mode="border", align_corners=True
    )[:, 0]


def on_retina(video: F32, gaze_px: F32) -> F32:
    """(frame, row, col) displayed video as the retina has it; see `moved`."""
    return moved(torch.from_numpy(video), torch.from_numpy(gaze_px)).numpy()


def moving_mask(mask: NDArray[np.bool_], gaze_px: F32) -> NDArray[np.bool_]:
    """(frame, row, col) screen mask that follows the gaze: the inverse of `moved`."""
    still = torch.from_numpy(mask.astype(np.float32)).expand(len(gaze_px), -1, -1)
    return moved(still, torch.from_numpy(-gaze_px)).numpy() > 0.5  # noqa: PLR2004


class GazeCorrectedTwin:
    """A twin that is given each frame of the screen as the retina has it, by the pupil's position.

    It satisfies `Twin` and `TailTwin`; an inversion then estimates the display on the screen.
    """

    def __init__(self, twin: Twin, gaze: GazeMap) -> None:
        self._twin, self._gaze = twin, gaze

    @property
    def spec(self) -> TwinSpec:
        """That of the twin."""
        return self._twin.spec

    @property
    def temporal_stride(self) -> int:
        """That of the twin."""
        return self._twin.temporal_stride if isinstance(self._twin, TailTwin) else 1

    def __call__(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, for a display on the screen."""
        return self._twin(self._seen(video, behaviour), behaviour)

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
        *,
        stride: int = 1,
    ) -> Float[Tensor, "batch tail neuron"]:
        """As `TailTwin.tail`, for a display on the screen."""
        seen = self._seen(video, behaviour)
        return predict_tail(self._twin, seen, behaviour, frames=frames, stride=stride)

    def _seen(self, video: Tensor, behaviour: Tensor) -> Tensor:
        pairs = zip((_X, _Y), self._gaze.mean_px, strict=True)
        from_mean = torch.stack([behaviour[..., one] - mean for one, mean in pairs], -1)
        gaze_px = (from_mean * self._gaze.gain).flatten(0, 1)
        return moved(video.flatten(0, 1), gaze_px).reshape(video.shape)
