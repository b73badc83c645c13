"""Running speed and pupil of a session, as the processing module `behavior` of an NWB file."""

from typing import Any

import numpy as np

from rtdecode.export.nwb_library import F64, compressed, nwb_library, times
from rtdecode.export.session_content import SessionContent


def add_behaviour(file: Any, content: SessionContent) -> list[str]:
    """Add what was recorded, and give sentences on what was not.

    A pupil that is 0 px throughout was not measured: rig programs without an eye camera send zeros.
    """
    t_ns, values = content.behaviour()
    if not len(t_ns):
        return ["No running speed and no pupil were recorded."]
    running, diameter, center = values[:, 0], values[:, 1], values[:, 2:]
    t_s = content.seconds_of(t_ns)
    module = file.create_processing_module(
        "behavior", "Behaviour, as the rig sent it, at its own sampling rate."
    )
    lib, lacks = nwb_library(), []
    speed = lib.TimeSeries(
        name="running_speed",
        description="Running speed.",
        data=_values(running),
        unit="cm/s",
        **times(t_s),
    )
    module.add(lib.behavior.BehavioralTimeSeries(time_series=speed))
    if diameter.any():
        module.add(lib.behavior.PupilTracking(time_series=_diameter(diameter, t_s)))
    else:
        lacks.append("No pupil diameter was recorded.")
    if center.any():
        module.add(lib.behavior.EyeTracking(spatial_series=_center(center, t_s)))
    else:
        lacks.append("No pupil position was recorded.")
    return lacks


def _values(values: F64) -> Any:
    # the log has float64 for speed and diameter and float32 for the position
    return compressed(np.ascontiguousarray(values))


def _diameter(values: F64, t_s: F64) -> Any:
    return nwb_library().TimeSeries(
        name="pupil_diameter",
        description="Diameter of the pupil in pixels of the eye camera.",
        data=_values(values),
        unit="pixels",
        **times(t_s),
    )


def _center(values: F64, t_s: F64) -> Any:
    return nwb_library().behavior.SpatialSeries(
        name="pupil_center",
        description="Centre (x, y) of the pupil in pixels of the eye camera.",
        data=_values(values),
        reference_frame="origin and axes as the rig's eye tracking defines them",
        unit="pixels",
        **times(t_s),
    )
