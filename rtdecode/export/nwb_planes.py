"""Microscope, imaging planes and ROIs of a session, as the parts of an NWB file.

A plane whose ROIs are kept with the session has their pixels and weights. Of other ROIs, as of
values that the rig's program extracts, only the numbers are known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtdecode.calcium.calibration import Calibration
from rtdecode.export.nwb_library import nwb_library
from rtdecode.export.nwb_metadata import UNKNOWN
from rtdecode.export.session_content import SessionContent
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.config.calcium import CALIBRATION_FILE, plane_folder
from rtdecode.schema.config.metadata import ImagingConfig
from rtdecode.schema.errors import MissingFileError, UnreadableFileError
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.recorded_facts import RecordedRois
from rtdecode.session.series import rate_hz

_PIXEL = np.dtype([("x", "<u4"), ("y", "<u4"), ("weight", "<f4")])
_NOT_KNOWN = float("nan")
_M_PER_UM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class PlaneRois:
    """The neurons of one plane in the file."""

    plane: int
    columns: slice
    """Their columns in the activity of all planes."""
    table: Any
    """PlaneSegmentation."""

    @property
    def count(self) -> int:
        """Number of neurons."""
        return int(self.columns.stop - self.columns.start)

    def region(self) -> Any:
        """All rows of the table, as a series refers to them."""
        rows = list(range(self.count))
        return self.table.create_roi_table_region("all ROIs of the plane", region=rows)


def add_planes(
    file: Any, session: RecordedSession, content: SessionContent
) -> tuple[list[PlaneRois], list[str]]:
    """Add device, imaging planes, ROIs and mean images; also sentences on what is not known."""
    counts = neurons_by_plane(session.config, content)
    if not counts:
        return [], ["No fluorescence and no activity were recorded."]
    config = session.config
    device = file.create_device(
        name=_name(config.session.imaging.microscope or "microscope"), description=_device(config)
    )
    ophys = file.create_processing_module(
        "ophys", "Fluorescence and activity of the neurons, as computed during the session."
    )
    segmentation = nwb_library().ophys.ImageSegmentation()
    ophys.add(segmentation)
    found, lacks, first = [], list[str](), 0
    for plane, count in counts.items():
        imaged = file.create_imaging_plane(
            **_imaging_plane(config.session.imaging, device, plane, content, len(counts) > 1)
        )
        rois = _rois_of(session, plane)
        table, stated = _segmentation(imaged, plane, count, rois)
        segmentation.add_plane_segmentation(table)
        lacks += stated + _add_mean_image(ophys, session, plane)
        found.append(PlaneRois(plane, slice(first, first + count), table))
        first += count
    return found, lacks


def neurons_by_plane(config: RunConfig, content: SessionContent) -> Mapping[int, int]:
    """Number of neurons of each decoded plane, in the order of their activity.

    One entry for all where fluorescence does not state how many each plane has.
    """
    decoded = config.calcium.decoded_planes
    known = {plane: content.planes[plane].neurons for plane in decoded if plane in content.planes}
    if content.measured and sum(known.values()) != content.neurons:
        return {decoded[0]: content.neurons}
    return known


def _rois_of(session: RecordedSession, plane: int) -> RecordedRois | None:
    """ROIs of a plane; of a single decoded plane they lie in the folder itself, as of plane 0."""
    decoded = session.config.calcium.decoded_planes
    return session.rois.get(plane if len(decoded) > 1 else 0)


def _device(config: RunConfig) -> str:
    if isinstance(config.acquisition.source, SimulatedSource):
        return "Simulated two-photon microscope of rtdecode; no animal was imaged."
    return f"Two-photon microscope, read through the source {config.acquisition.source.kind}."


def _name(text: str) -> str:
    """A name without the characters that HDF5 and NWB do not permit in names."""
    return text.replace("/", "_").replace(":", "_")


def _imaging_plane(
    imaging: ImagingConfig, device: Any, plane: int, content: SessionContent, several: bool
) -> dict[str, Any]:
    scans = content.planes.get(plane)
    rate = None if scans is None else _rate_hz(scans.t_scan_ns)
    depth = "" if imaging.depth_um is None else f", {imaging.depth_um:g} µm below the surface"
    spacing = imaging.pixel_um
    channel = nwb_library().ophys.OpticalChannel(
        name="green" if imaging.emission_nm else "optical_channel",
        description="The channel that is decoded.",
        emission_lambda=imaging.emission_nm or _NOT_KNOWN,
    )
    return {
        "name": f"imaging_plane_{plane}" if several else "imaging_plane",
        "description": f"Plane {plane} of the microscope{depth}.",
        "optical_channel": channel,
        "device": device,
        "excitation_lambda": imaging.excitation_nm or _NOT_KNOWN,
        "indicator": imaging.indicator or UNKNOWN,
        "location": imaging.location or UNKNOWN,
        "imaging_rate": rate,
        "grid_spacing": None if spacing is None else [spacing * _M_PER_UM] * 2,
        "grid_spacing_unit": "meters",
    }


def _rate_hz(t_ns: list[int]) -> float | None:
    rate = rate_hz(np.array(t_ns, np.int64))
    return rate if math.isfinite(rate) else None


def _segmentation(
    imaged: Any, plane: int, count: int, rois: RecordedRois | None
) -> tuple[Any, list[str]]:
    """PlaneSegmentation of `count` neurons, and a sentence where their pixels are not known."""
    is_kept = rois is not None and len(rois) == count
    columns, what = _no_pixels(count), "Neurons whose ROIs are not kept: only their order is known."
    if is_kept and rois is not None:
        columns = _pixel_columns(rois)
        what = f"ROIs in {rois.shape[0]} rows x {rois.shape[1]} columns; x is the column."
    table = nwb_library().ophys.PlaneSegmentation(
        name=f"rois_plane_{plane}", description=what, imaging_plane=imaged, columns=columns
    )
    stated = f"The pixels of the ROIs of plane {plane} are not kept with the session."
    return table, [] if is_kept else [stated]


def _no_pixels(count: int) -> list[Any]:
    """Columns of neurons without pixels: pynwb reads no table without masks, so they are NaN."""
    vector = nwb_library().core.VectorData
    masks = np.full((count, 1, 1), np.nan, np.float32)
    return [
        vector(name="image_mask", description="NaN: the pixels are not known.", data=masks),
        vector(
            name="number",
            description="Number of the neuron in its plane, from 0.",
            data=np.arange(count),
        ),
    ]


def _pixel_columns(rois: RecordedRois) -> list[Any]:
    rows, cols = np.divmod(rois.pixels, rois.shape[1])
    pixels = np.empty(len(rois.pixels), _PIXEL)
    pixels["x"], pixels["y"], pixels["weight"] = cols, rows, rois.weights
    core, ends = nwb_library().core, rois.indptr[1:].astype(np.uint64)
    data = core.VectorData(name="pixel_mask", description="Pixels of each ROI.", data=pixels)
    return [data, core.VectorIndex(name="pixel_mask_index", target=data, data=ends)]


def _add_mean_image(ophys: Any, session: RecordedSession, plane: int) -> list[str]:
    """Add the reference image of the calibration, the mean of aligned scans, where it is kept."""
    folder = session.folder
    if session.config.calcium.several_planes:
        folder = folder / plane_folder(plane)
    try:
        image = Calibration.load(folder / CALIBRATION_FILE).reference_counts
    except (MissingFileError, UnreadableFileError):
        return [f"The session keeps no mean image of the field of view of plane {plane}."]
    if not image.size:
        return [f"The session has no images of the field of view of plane {plane}."]
    lib = nwb_library()
    mean = lib.image.GrayscaleImage(
        name="mean",
        data=image,
        description="(row, col) mean of aligned scans, in counts of the microscope: the "
        "reference image of the registration.",
    )
    ophys.add(
        lib.base.Images(
            name=f"field_of_view_plane_{plane}",
            images=[mean],
            description=f"Images of the field of view of plane {plane}.",
        )
    )
    return []
