"""Displayed and reconstructed frames of a session, as series of an NWB file that are filled later.

A displayed frame has the time of its flip, when its light left the screen, and stays until the next
one. A reconstruction has the time of its content: the middle of its frame on the frame grid, not
the later time at which it was ready.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rtdecode.export.nwb_library import (
    Column,
    compressed,
    empty_dataset,
    fields_of,
    nwb_library,
    table,
    times,
)
from rtdecode.export.session_content import SessionContent
from rtdecode.schema.config import RunConfig
from rtdecode.schema.visual_degrees import pixel_degrees

DISPLAYED, DECODING = "displayed", "decoding"
"""Names of the stimulus series and of the processing module of the reconstruction."""
_GREY = "grey level (0 to 255)"
_M_PER_CM = 0.01


@dataclass(slots=True)
class FrameData:
    """Datasets that are to be filled; None for what was not recorded."""

    displayed: Any = None
    decoded: Any = None
    uncertainty: Any = None


def add_displayed(file: Any, content: SessionContent, config: RunConfig) -> tuple[Any, list[str]]:
    """Add the displayed frames; the dataset to fill, and a sentence where there are none."""
    if not content.displayed:
        return None, ["No displayed frames were recorded."]
    data = empty_dataset((len(content.displayed), *content.screen_px), np.uint8)
    flips_ns = np.array([frame.t_flip_ns for frame in content.displayed], np.int64)
    kind, seen = _series_of(config, content.screen_px)
    file.add_stimulus(
        kind(
            name=DISPLAYED,
            description=_displayed_in_words(config, content.screen_px),
            data=data,
            unit=_GREY,
            **times(content.seconds_of(flips_ns)),
            **seen,
        )
    )
    file.add_stimulus(_displayed_table(content, flips_ns))
    return data, []


def _series_of(config: RunConfig, screen_px: tuple[int, int]) -> tuple[Any, dict[str, Any]]:
    """Type of the displayed series, and what it states of the monitor where that is known."""
    lib, monitor = nwb_library(), config.stimulus.monitor
    if monitor is None:
        return lib.image.ImageSeries, {}
    height_cm = monitor.width_cm * screen_px[0] / screen_px[1]
    return lib.image.OpticalSeries, {
        "distance": float(monitor.distance_cm * _M_PER_CM),
        "field_of_view": np.array([monitor.width_cm, height_cm]) * _M_PER_CM,
        "orientation": "rows downward, columns rightward, as the animal sees them",
    }


def _displayed_in_words(config: RunConfig, screen_px: tuple[int, int]) -> str:
    what = (
        "Frames on the screen as (frame, row, column), each from its flip (the time at which its "
        "light left the screen) until the next one."
    )
    if (monitor := config.stimulus.monitor) is None:
        return f"{what} Size and distance of the monitor are not stated."
    azimuth, altitude = pixel_degrees(
        *screen_px, width_cm=monitor.width_cm, distance_cm=monitor.distance_cm, warp=monitor.warp
    )
    wide, high = float(np.ptp(azimuth)), float(np.ptp(altitude))
    return (
        f"{what} Between the centres of its outermost pixels it covers {wide:.1f} degrees of "
        f"azimuth and {high:.1f} degrees of altitude."
    )


def _displayed_table(content: SessionContent, flips_ns: Any) -> Any:
    frames = content.displayed
    return table(
        "displayed_frames",
        f"What is known of each image of '{DISPLAYED}', in the same order.",
        [
            Column("flip_time", "Time of its flip in s.", content.seconds_of(flips_ns)),
            *fields_of(
                frames,
                clip="Clip, or stimulus of the protocol.",
                index="Number of the frame in its clip.",
                number="Number of the frame in the session, which the photodiode patch encodes; "
                "-1: none.",
            ),
            Column(
                "refreshes_before",
                "Refreshes of the monitor for which the frame before it stayed.",
                [one.flips for one in frames],
            ),
        ],
    )


def add_decoded(file: Any, content: SessionContent, config: RunConfig) -> tuple[Any, Any]:
    """Add reconstruction and uncertainty; the two datasets to fill, None where there is none."""
    frames = content.decoded_frames
    if not frames:
        return None, None
    module = file.create_processing_module(
        DECODING, "What was reconstructed live from the activity, and its agreement with the screen"
    )
    shape = (len(frames), *content.decoded_px)
    at = _decoded_times(content)
    decoded, uncertainty = empty_dataset(shape, np.float32), None
    image_series = nwb_library().image.ImageSeries
    lags = sorted({one.lag_frames for _, one in content.decoded.values()})
    module.add(
        image_series(
            name="reconstruction",
            description=_reconstruction_in_words(lags, config),
            data=decoded,
            unit=_GREY,
            **at,
        )
    )
    if content.has_uncertainty:
        uncertainty = empty_dataset(shape, np.float32)
        module.add(
            image_series(
                name="uncertainty",
                description="Posterior standard deviation of each pixel of 'reconstruction', at "
                "the same times.",
                data=uncertainty,
                unit=_GREY,
                **_decoded_times(content),
            )
        )
    module.add(_decoded_table(content))
    return decoded, uncertainty


def _decoded_times(content: SessionContent) -> dict[str, Any]:
    """Middles of the frames: start and rate where no frame is missing, else each time."""
    frames, grid = content.decoded_frames, content.grid
    t_s = content.seconds_of(np.array([grid.middle_ns(frame) for frame in frames], np.int64))
    if frames[-1] - frames[0] + 1 == len(frames):
        return {"starting_time": float(t_s[0]), "rate": grid.rate_hz}
    return {"timestamps": compressed(t_s)}


def _reconstruction_in_words(lags: list[int], config: RunConfig) -> str:
    twins = () if config.decode is None else config.decode.twin_folders
    names = " and ".join(f"'{twin.name}'" for twin in twins)
    by = f" by inversion of the twin{'s' if len(twins) > 1 else ''} {names}" if twins else ""
    behind = " or ".join(str(lag) for lag in lags)
    return (
        f"Frames of the screen, reconstructed live from the activity{by}, as (frame, row, column). "
        f"The times are those of the content: the middle of the frame of the grid that is "
        f"reconstructed, to be compared with what was displayed then. Each frame was estimated "
        f"with a lag of {behind} frames behind the newest activity; when it was ready is in the "
        f"table 'reconstruction_frames'."
    )


def _decoded_table(content: SessionContent) -> Any:
    rows = [content.decoded[frame] for frame in content.decoded_frames]
    frames = [frame for _, frame in rows]
    seconds = content.seconds
    return table(
        "reconstruction_frames",
        "What is known of each image of 'reconstruction', in the same order.",
        [
            Column("frame", "Number on the frame grid.", [one.frame for one in frames]),
            Column(
                "scan_time",
                "Middle of the newest scan it rests on, in s.",
                [seconds(one.t_scan_ns) for one in frames],
            ),
            Column(
                "ready_time",
                "When it was computed, in s.",
                [seconds(one.t_ready_ns) for one in frames],
            ),
            Column(
                "sent_time", "When it left the decoder, in s.", [seconds(t_ns) for t_ns, _ in rows]
            ),
            *fields_of(
                frames,
                lag_frames="Frames behind the newest activity; negative for a forecast.",
                steps="Steps of the solver.",
                objective="Objective of the estimation at its end.",
                warm="False until the estimation window is full.",
                late="Whether it was ready after its due time.",
                neurons_left_out="Neurons without influence, as stuck or implausible.",
                frame_left_out="Whether its activity had almost no weight.",
                frames_shed="Frames before it that an overloaded decoder left out.",
            ),
        ],
    )
