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
from rtdecode.session.recorded_log import Read, StreamKind

_GREY = "grey level (0-255)"
_FRAME = ("time", "row", "col")
_CHANNELS = ("running_cm_s", "pupil_diameter_px", "pupil_x_px", "pupil_y_px")
_SCORES = ("video_r", "frame_r", "ssim", "shift_ms")
_DECODED = ("frame", "lag_frames", "steps", "warm", "late", "frame_left_out")
_SCANNED = {"scan": "number", "plane": "plane"}


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


def _fields(*same: str, **renamed: str) -> dict[str, Read]:
    """Readers of fields of the body, by the name of the coordinate."""
    named = {**{name: name for name in same}, **renamed}
    return {name: _reader(field) for name, field in named.items()}


def _reader(field: str) -> Read:
    return lambda message: getattr(message.body, field)


def _named(names: tuple[str, ...]) -> dict[str, tuple[str, NDArray[Any]]]:
    return {"channel": ("channel", np.array(names))}


def _of_decoder(name: str, values: Any) -> StreamKind:
    return StreamKind(
        name=name,
        stream=f"emit/{Reconstruction.kind}",
        unit=_GREY,
        dims=_FRAME,
        values=values,
        t_ns=_reader("t_frame_mid_ns"),
        t_means="middle of the frame that is reconstructed",
        coords=_fields(*_DECODED),
        fixed={},
    )


def _of_scans(name: str, field: str) -> StreamKind:
    return StreamKind(
        name=name,
        stream=f"decoder/{Fluorescence.kind}",
        unit="a.u.",
        dims=("time", "neuron"),
        values=lambda body: np.asarray(getattr(body, field), np.float32),
        t_ns=_reader("t_scan_ns"),
        t_means="middle of the scan",
        coords=_fields(**_SCANNED),
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
                t_ns=_reader("t_flip_ns"),
                t_means="flip, when the light of the frame left the screen",
                coords={**_fields("clip", "index", "number"), "seq": lambda message: message.seq},
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
                t_ns=_reader("t_frame_start_ns"),
                t_means="start of the frame of the grid",
                coords=_fields("frame"),
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
                t_ns=_reader("t_sample_ns"),
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
                coords=_fields("n_frames"),
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
                coords=_fields(**_SCANNED),
                fixed={},
            ),
        )
    }
)
"""Each stream by its name; `neuropil` and `scans` are beside those of most use."""
