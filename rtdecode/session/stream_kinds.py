"""The streams of a session that a notebook, a report or an export reads, and their times and units.

A time of `displayed` is the flip, when the light of a frame left the screen; a time of `decoded` is
the middle of the frame of the grid that it shows, for which the frame then on the screen is the
ground truth. The lag of the decoder is thus not in these times.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.schema.messages import (
    Behaviour,
    DisplayedFrame,
    Fluorescence,
    Reconstruction,
    Responses,
    Scan,
    Score,
)
from rtdecode.session.recorded_log import StreamKind

_GREY = "grey level (0-255)"
_FRAME = ("time", "row", "col")
_CHANNELS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")
_SCORES = ("video_r", "frame_r", "ssim", "shift_ms")
_DECODED = MappingProxyType(
    {
        "frame": lambda body: body.frame,
        "lag_frames": lambda body: body.lag_frames,
        "steps": lambda body: body.steps,
        "warm": lambda body: body.warm,
        "late": lambda body: body.late,
        "left_out": lambda body: body.frame_left_out,
    }
)
_SCANNED = MappingProxyType({"scan": lambda body: body.number, "plane": lambda body: body.plane})


def _activity(body: Responses) -> NDArray[np.float32]:
    return np.where(body.valid, body.activity, np.float32(np.nan)).astype(np.float32, copy=False)


def _uncertainty(body: Reconstruction) -> NDArray[np.float32]:
    # zeros on the wire stand for an uncertainty that was not computed
    if body.uncertainty.any():
        return body.uncertainty
    return np.full_like(body.uncertainty, np.nan)


def _behaviour(body: Behaviour) -> NDArray[np.float64]:
    return np.array([body.running_cm_s, body.pupil_diameter_px, *body.pupil_center_px.tolist()])


def _scores(body: Score) -> NDArray[np.float64]:
    return np.array([getattr(body, name) for name in _SCORES])


def _named(names: tuple[str, ...]) -> dict[str, tuple[str, NDArray[Any]]]:
    return {"channel": ("channel", np.array(names))}


def _of_decoder(name: str, values: Any) -> StreamKind:
    return StreamKind(
        name=name,
        stream=f"emit/{Reconstruction.kind}",
        unit=_GREY,
        dims=_FRAME,
        values=values,
        t_ns=lambda message: message.body.t_frame_mid_ns,  # type: ignore[union-attr]
        t_means="middle of the frame that is reconstructed",
        coords=_DECODED,
        fixed={},
    )


def _of_scans(name: str, field: str) -> StreamKind:
    return StreamKind(
        name=name,
        stream=f"decoder/{Fluorescence.kind}",
        unit="a.u.",
        dims=("time", "neuron"),
        values=lambda body: np.asarray(getattr(body, field), np.float32),
        t_ns=lambda message: message.body.t_scan_ns,  # type: ignore[union-attr]
        t_means="middle of the scan",
        coords=_SCANNED,
        fixed={},
    )


STREAM_KINDS: Mapping[str, StreamKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            StreamKind(
                name="displayed",
                stream=f"stimulus/{DisplayedFrame.kind}",
                unit=_GREY,
                dims=_FRAME,
                values=lambda body: body.luminance,
                t_ns=lambda message: message.body.t_flip_ns,  # type: ignore[union-attr]
                t_means="flip, when the light of the frame left the screen",
                coords={
                    "clip": lambda body: body.clip,
                    "index": lambda body: body.index,
                    "number": lambda body: body.number,
                },
                fixed={},
            ),
            _of_decoder("decoded", lambda body: body.luminance),
            _of_decoder("uncertainty", _uncertainty),
            StreamKind(
                name="activity",
                stream=f"decoder/{Responses.kind}",
                unit="twin unit",
                dims=("time", "neuron"),
                values=_activity,
                t_ns=lambda message: message.body.t_frame_start_ns,  # type: ignore[union-attr]
                t_means="start of the frame of the grid",
                coords={"frame": lambda body: body.frame},
                fixed={},
            ),
            _of_scans("fluorescence", "f_raw"),
            _of_scans("neuropil", "f_neuropil"),
            StreamKind(
                name="behaviour",
                stream=f"bridge/{Behaviour.kind}",
                unit="cm/s and px, as the channels state",
                dims=("time", "channel"),
                values=_behaviour,
                t_ns=lambda message: message.body.t_sample_ns,  # type: ignore[union-attr]
                t_means="time of the sample",
                coords={},
                fixed=_named(_CHANNELS),
            ),
            StreamKind(
                name="scores",
                stream=f"evaluate/{Score.kind}",
                unit="correlation, similarity and ms, as the channels state",
                dims=("time", "channel"),
                values=_scores,
                t_ns=lambda message: message.t_ns,
                t_means="time at which the running score was sent",
                coords={"n_frames": lambda body: body.n_frames},
                fixed=_named(_SCORES),
                is_part=lambda body: not body.final,
            ),
            StreamKind(
                name="scans",
                stream=f"bridge/{Scan.kind}",
                unit="counts",
                dims=_FRAME,
                values=lambda body: body.pixels_counts,
                t_ns=lambda message: (message.body.t_start_ns + message.body.t_end_ns) // 2,  # type: ignore[union-attr]
                t_means="middle of the scan",
                coords=_SCANNED,
                fixed={},
            ),
        )
    }
)
"""Each stream by its name; `neuropil` and `scans` are beside those of most use."""
