"""The protocol of a twin, an encoding model that predicts all neurons' activity from video.

Training, inversion, scoring and the folder on disk work with every module that satisfies `Twin`.
This module has no weights and imports no architecture. A twin that can leave out frames also
satisfies `TailTwin`; `predict_tail` makes use of that where it is so.

>>> import torch
>>> from rtdecode.twins.linear import Linear
>>> twin = Linear(TwinSpec("linear", neurons=2, rows_px=3, cols_px=4, sizes={"taps": 2}))
>>> isinstance(twin, Twin), isinstance(twin, TailTwin)
(True, False)
>>> video, behaviour = torch.full((1, 10, 3, 4), 111.3), torch.zeros(1, 10, 4)
>>> tuple(twin(video, behaviour).shape)  # batch, frame, neuron
(1, 10, 2)
>>> tuple(predict_tail(twin, video, behaviour, frames=5, stride=2).shape)  # frames 5, 7 and 9
(1, 3, 2)
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor, nn

BEHAVIOUR_CHANNELS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")
"""Channels of behaviour in the order of every array of it: cm/s, and px of the eye camera."""


@dataclass(frozen=True, slots=True)
class TwinSpec:
    """Everything about a twin that is not a weight; written beside the weights as JSON.

    Parameters
    ----------
    architecture
        Name of the module that the weights belong to: compact, linear, still or dwiseneuro.
    neurons
        Number of neurons predicted.
    rows_px, cols_px
        Size of the video in pixels.
    frame_rate_hz
        Frames a second of the video, and predictions a second.
    luminance_mean, luminance_sd
        Of the video that the twin was trained with, in grey levels 0 to 255.
    response_units
        What a predicted value is, in words: the twin units.
    behaviour_channels, behaviour_mean, behaviour_sd
        Names, means and SDs of the behaviour that the twin was trained with, in its own units.
    history_frames
        Upper bound of the number of frames before a predicted one that influence it.
    future_frames
        Upper bound of the number of frames after it that do; 0 for a causal twin.
    sizes
        Numbers from which the architecture is built.
    provenance
        Origin of data and weights, in words.
    training_clips
        Perceptual hashes of the clips that the twin was trained with, so that scores on them can
        be recognised as such.
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

    @property
    def rois_hash(self) -> str:
        """Content hash of the ROIs whose responses it was trained on; empty if unknown."""
        return self.provenance.get("rois_hash", "")

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "TwinSpec":
        """Spec from the plain values of a JSON file.

        Raises
        ------
        TypeError
            If a field is unknown, or one without a default is missing.
        pydantic.ValidationError
            If a value has another type than its field.
        """
        if unknown := plain.keys() - {each.name for each in fields(cls)}:
            raise TypeError(f"unknown field {min(unknown)}")
        if missing := {"architecture", "neurons"} - plain.keys():
            raise TypeError(f"no field {min(missing)}")
        return TypeAdapter(cls).validate_python(dict(plain))


@runtime_checkable
class Twin(Protocol):
    """A module that predicts expected activity in twin units.

    The prediction of frame t depends on frames up to t, or, where the twin is not causal, up to
    t + `spec.future_frames`. Before the first frame given, video is taken to be constant.
    """

    @property
    def spec(self) -> TwinSpec: ...

    def __call__(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity at each frame.

        Parameters
        ----------
        video
            Grey levels, 0 to 255.
        behaviour
            Channels in the order of `spec.behaviour_channels`, in the units measured.

        Returns
        -------
        (batch, frame, neuron), in twin units; at least 0, except for the linear twin of tests.
        """
        ...


@runtime_checkable
class TailTwin(Protocol):
    """A twin that can predict some frames of a window without the cost of the others."""

    @property
    def temporal_stride(self) -> int:
        """Largest stride between predicted frames at which an inversion loses no information.

        The response kernel makes activity so smooth that frames in between are redundant.
        """
        ...

    def tail(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
        frames: int,
        *,
        stride: int = 1,
    ) -> Float[Tensor, "batch tail neuron"]:
        """Prediction at each `stride`-th of the last `frames` frames; see `predict_tail`."""
        ...


def device_of(twin: Twin) -> torch.device:
    """Where `twin` predicts: the device of its weights, or the CPU for one without weights."""
    weights = twin.parameters() if isinstance(twin, nn.Module) else iter(())
    return next((weight.device for weight in weights), torch.device("cpu"))


def predict_tail(
    twin: Twin,
    video: Float[Tensor, "batch frame row col"],
    behaviour: Float[Tensor, "batch frame channel"],
    *,
    frames: int,
    stride: int = 1,
) -> Float[Tensor, "batch tail neuron"]:
    """Predictions at each `stride`-th of the last `frames` frames, oldest first.

    The newest frame is always included: the frames are T − 1, T − 1 − stride, … of T, reversed. A
    `TailTwin` computes only these; of any other twin's prediction the rest is cut off. `stride`
    must divide the stride of a `TailTwin`.
    """
    if isinstance(twin, TailTwin):
        return twin.tail(video, behaviour, frames, stride=stride)
    return twin(video, behaviour)[:, -frames:][:, (frames - 1) % stride :: stride]
