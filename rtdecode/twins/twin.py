"""What a twin is: a frozen encoding model that predicts every neuron's activity from video."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

BEHAVIOUR_CHANNELS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")


@dataclass(frozen=True, slots=True)
class TwinSpec:
    """Everything about a twin that is not a weight; written beside the weights as JSON.

    `sizes` holds the numbers that its architecture is built from, `training_clips` the
    perceptual hashes of the clips it was trained on, `provenance` who was measured and how
    it was trained, in words. `future_frames` is how far the prediction of a frame looks ahead:
    0 for a causal twin.
    """

    architecture: str
    neurons: int
    rows_px: int = 36
    cols_px: int = 64
    frame_rate_hz: float = 30.0
    luminance_mean: float = 111.3
    luminance_sd: float = 60.9
    response_units: str = "deconvolved activity"
    behaviour_channels: tuple[str, ...] = BEHAVIOUR_CHANNELS
    behaviour_mean: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    behaviour_sd: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    history_frames: int = 16
    future_frames: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    training_clips: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "TwinSpec":
        """Spec from a JSON file's plain values; TypeError where a field is unknown or missing."""
        lists = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
        return cls(**{**plain, **lists})


@runtime_checkable
class Twin(Protocol):
    """An `nn.Module` that predicts expected activity, at least 0, in twin units.

    The prediction of frame t depends on frames up to t only, or, where the twin is not causal,
    up to t + `spec.future_frames`; before the first frame the video is taken to have stood still.
    """

    @property
    def spec(self) -> TwinSpec: ...

    def __call__(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame, from grey levels 0..255 and behaviour as measured."""
        ...


@runtime_checkable
class TailTwin(Protocol):
    """A twin that can leave out the predictions of some of a window's frames, and their cost."""

    @property
    def pace(self) -> int:
        """How many frames apart predictions may lie without losing what the data can tell."""
        ...

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
        *,
        every: int = 1,
    ) -> Float[Tensor, "batch tail neuron"]:
        """Each `every`-th of the last `frames` frames of what the call gives, newest included."""
        ...


def predict_tail(
    twin: Twin,
    video: Float[Tensor, "batch frame row col"],
    behaviour: Float[Tensor, "batch frame channel"],
    *,
    frames: int,
    every: int = 1,
) -> Float[Tensor, "batch tail neuron"]:
    """Predictions of each `every`-th of the last `frames` frames, alone where the twin can.

    The newest frame is always among them; oldest first.
    """
    if isinstance(twin, TailTwin):
        return twin.tail(video, behaviour, frames, every=every)
    return twin(video, behaviour)[:, -frames:][:, (frames - 1) % every :: every]
