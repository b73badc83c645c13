"""Settings of the decoder (fixed-lag MAP estimation of the video) and of its paced output."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from rtdecode.schema.config.section import Count, Index, NotNegative, Positive, Section

_SETTLING_FRAMES = 4


class RoisCheck(StrEnum):
    """How the ROIs of a run are compared with those that the twin was trained on."""

    CONTENT = "content"
    COUNT = "count"


class Device(StrEnum):
    """Processor that decodes or trains."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class DecodeConfig(Section):
    """Moving-horizon (MAP) estimation of the video from the activity, by inversion of the twin."""

    earlier_names: ClassVar[Mapping[str, str]] = {
        "tau": "likelihood_weight",
        "free_frames": "estimated_frames",
    }

    twin: Path | None = None
    """Folder of the twin, with its prior and noise model."""
    twins: tuple[Path, ...] = ()
    """Folders of several twins of the same neurons, in place of `twin`: the mean of their
    likelihoods is maximised. Prior and uncertainty are those of the first. Under overload the last
    ones are left out first."""
    rois_check: RoisCheck = RoisCheck.CONTENT
    """How the ROIs are compared with those of the twin: content requires the same ROIs, where those
    of the twin are known; count requires as many, for cells that were matched in the same order."""
    window_frames: Count = 36
    """Number of frames in the twin's input window, history and estimated frames together."""
    estimated_frames: Count | None = None
    """Number of newest frames of the window (the horizon) that each step re-estimates; null takes
    `lag_frames` + 4."""
    lag_frames: Index = 8
    """Fixed lag in frames between the newest responses and the reconstructed frame."""
    forecast_frames: Index = 0
    """Number of frames after the newest responses that is forecast by the dynamics of the prior;
    only with `lag_frames: 0`. The output lag is then negative."""
    steps: Count = 3
    """Number of optimisation steps for each new frame or batch of frames."""
    deadline_ms: Positive = 30.0
    """Time limit in ms of one estimation: no step begins that would exceed it if it took as long as
    the last one. The rest of a frame's period allows for slower steps."""
    likelihood_weight: Positive | None = None
    """Weight of the likelihood relative to the prior, without unit; null takes the value that was
    fitted with the twin."""
    device: Device = Device.AUTO
    """Processor that decodes: auto takes a GPU where torch can compute on one, else the CPU; cuda
    refuses a computer without one."""
    threads: Count = 1
    """Number of CPU threads of one step."""

    @property
    def twin_folders(self) -> tuple[Path, ...]:
        """Folders of all twins: `twins`, or `twin` alone; empty where neither is given."""
        return self.twins or (() if self.twin is None else (self.twin,))

    @property
    def output_lag_frames(self) -> int:
        """Frames from the reconstructed frame to the newest responses; negative for a forecast."""
        return self.lag_frames - self.forecast_frames

    @property
    def estimated_frames_used(self) -> int:
        """`estimated_frames`, or its value derived from the lag; at most the window."""
        derived = self.lag_frames + _SETTLING_FRAMES
        frames = derived if self.estimated_frames is None else self.estimated_frames
        return min(frames, self.window_frames)

    @property
    def room_frames(self) -> int:
        """Frames by which the window can move before one becomes history without an estimate."""
        return self.estimated_frames_used - self.lag_frames

    @model_validator(mode="after")
    def _twins_are_given_once(self) -> "DecodeConfig":
        if self.twin is not None and self.twins:
            raise ValueError(
                f"twin={self.twin} and twins are both given: list all twins in twins and set "
                f"twin: null, or leave twins out"
            )
        if len(set(self.twins)) < len(self.twins):
            twice = next(one for one in self.twins if self.twins.count(one) > 1)
            raise ValueError(f"twins names {twice} twice: give each twin once")
        return self

    @model_validator(mode="after")
    def _lag_fits(self) -> "DecodeConfig":
        if self.lag_frames >= self.window_frames:
            raise ValueError(
                f"lag_frames={self.lag_frames} lies outside the window: "
                f"it must be below window_frames={self.window_frames}"
            )
        if self.estimated_frames_used <= self.lag_frames:
            raise ValueError(
                f"estimated_frames={self.estimated_frames} must be above "
                f"lag_frames={self.lag_frames}: a frame is estimated until it is sent"
            )
        return self

    @model_validator(mode="after")
    def _forecast_follows_the_newest(self) -> "DecodeConfig":
        if self.forecast_frames and self.lag_frames:
            raise ValueError(
                f"forecast_frames={self.forecast_frames} needs lag_frames=0, not "
                f"{self.lag_frames}: set one of them to 0"
            )
        if self.forecast_frames > self.estimated_frames_used:
            raise ValueError(
                f"forecast_frames={self.forecast_frames} must be at most "
                f"{self.estimated_frames_used}, the number of estimated frames"
            )
        return self


class EmitConfig(Section):
    """Paced output: each reconstructed frame is sent at its due time, or late."""

    budget_ms: NotNegative = 100.0
    """Upper bound in ms of the time for computation and transport that the due time of a frame
    includes. Less is used where the frames of the last minute were ready earlier."""
