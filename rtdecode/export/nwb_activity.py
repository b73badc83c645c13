"""Fluorescence and activity of a session, as series of an NWB file that are filled later.

Activity lies on the frame grid, without holes: frames and neurons without a measurement are NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtdecode.datasets.nwb_export import ACTIVITY
from rtdecode.export.nwb_library import compressed, empty_dataset, nwb_library, times
from rtdecode.export.nwb_planes import PlaneRois
from rtdecode.export.session_content import PlaneScans, SessionContent
from rtdecode.schema.config.calcium import Activity, CalciumConfig

_A_U = "a.u."
_ACTIVITIES: Mapping[Activity, tuple[str, str]] = {
    Activity.OASIS: ("deconvolved", "Deconvolved activity"),
    Activity.EVENTS: ("events", "Thresholded increases of dF/F"),
    Activity.DFF: ("dff", "dF/F"),
}


@dataclass(slots=True)
class CalciumData:
    """Datasets that are to be filled."""

    activity: list[tuple[slice, Any]] = field(default_factory=list)
    """Of each range of neurons."""
    raw: dict[int, Any] = field(default_factory=dict)
    neuropil: dict[int, Any] = field(default_factory=dict)


def add_calcium(
    file: Any, content: SessionContent, planes: Sequence[PlaneRois], calcium: CalciumConfig
) -> tuple[CalciumData, list[str]]:
    """Add fluorescence, registration and activity; also sentences on what was not recorded."""
    data, lacks = CalciumData(), list[str]()
    if not planes:
        return data, lacks
    ophys = file.processing["ophys"]
    imaged = [one for one in planes if _has_scans(one, content)]
    if imaged:
        fluorescence = nwb_library().ophys.Fluorescence()
        ophys.add(fluorescence)
        for rois in imaged:
            _add_fluorescence(fluorescence, data, content, rois)
            ophys.add(_shifts(content, content.planes[rois.plane], rois.plane))
        if not data.neuropil:
            lacks.append("No neuropil was recorded.")
    else:
        lacks.append("No fluorescence was recorded.")
    if content.measured:
        _add_activity(ophys, data, content, planes, calcium)
    else:
        lacks.append("No activity was recorded.")
    return data, lacks


def _has_scans(rois: PlaneRois, content: SessionContent) -> bool:
    scans = content.planes.get(rois.plane)
    return scans is not None and scans.neurons == rois.count


def _add_fluorescence(
    fluorescence: Any, data: CalciumData, content: SessionContent, rois: PlaneRois
) -> None:
    scans = content.planes[rois.plane]
    what = "Mean of each ROI before neuropil correction, at the middle of each scan."
    around = "Mean of the neuropil ring around each ROI, at the middle of each scan."
    kinds = [("raw", what, data.raw)]
    if scans.has_neuropil:
        kinds.append(("neuropil", around, data.neuropil))
    for name, described, kept in kinds:
        kept[rois.plane] = empty_dataset((len(scans.t_scan_ns), rois.count), np.float32)
        fluorescence.create_roi_response_series(
            name=f"{name}_plane_{rois.plane}",
            description=described,
            data=kept[rois.plane],
            rois=rois.region(),
            unit=_A_U,
            **times(content.seconds_of(np.array(scans.t_scan_ns, np.int64))),
        )


def _shifts(content: SessionContent, scans: PlaneScans, plane: int) -> Any:
    return nwb_library().TimeSeries(
        name=f"registration_shift_plane_{plane}",
        description="(row, col) by which each scan was moved onto the reference image.",
        data=compressed(np.array(scans.shifts_px, np.float32)),
        unit="pixels",
        **times(content.seconds_of(np.array(scans.t_scan_ns, np.int64))),
    )


def _add_activity(
    ophys: Any,
    data: CalciumData,
    content: SessionContent,
    planes: Sequence[PlaneRois],
    calcium: CalciumConfig,
) -> None:
    name, kind = _ACTIVITIES[calcium.activity]
    lib, frames = nwb_library(), content.frames
    container = lib.ophys.DfOverF if calcium.activity is Activity.DFF else lib.ophys.Fluorescence
    activity = container(name=ACTIVITY)
    ophys.add(activity)
    for place, rois in enumerate(planes):
        values = empty_dataset((len(frames), rois.count), np.float32)
        data.activity.append((rois.columns, values))
        activity.create_roi_response_series(
            # the place first: readers sort by name, and keep the order of the neurons
            name=name if len(planes) == 1 else f"{name}_{place:02d}_plane_{rois.plane}",
            description=f"{kind} on the frame grid, at the start of each frame, in the units of "
            f"the twin (rescale: {calcium.rescale.value}); {content.causality}. NaN: no "
            f"measurement.",
            data=values,
            rois=rois.region(),
            unit=_A_U,
            starting_time=content.seconds(content.grid.start_ns(frames.start)),
            rate=content.grid.rate_hz,
        )
