"""Messages for the Microscope tab of the page, which `rtdecode.schema.messages` counts as kinds.

The decoder publishes them without number and record: the log has the scans, and the session folder
the ROIs, from which both follow.
"""

from dataclasses import dataclass
from typing import ClassVar

from rtdecode.schema.arrays import FrameU8, NeuronF32, NeuronI32, RoiPixelsI32


@dataclass(frozen=True, slots=True, eq=False)
class FieldOfView:
    """The newest registered scan of one plane as a picture, about twice a second; not recorded."""

    kind: ClassVar[str] = "field_of_view"
    picture: FrameU8
    """(row, col) of at most 256 px a side: 0 for `low_counts` and below, 255 for `high_counts`."""
    plane: int
    number: int
    """Number of the scan."""
    t_scan_ns: int
    """Middle of the scan."""
    bin_px: int
    """Each pixel of the picture is the mean of `bin_px` x `bin_px` pixels of the scan."""
    low_counts: float
    high_counts: float


@dataclass(frozen=True, slots=True, eq=False)
class PlaneNeurons:
    """ROIs and preferred places of the neurons of one plane, to each new subscriber; not recorded.

    The neurons of several planes follow each other in the order of the planes, as in `responses`.
    """

    kind: ClassVar[str] = "plane_neurons"
    plane: int
    first_neuron: int
    """Index in `responses` of the first neuron of this plane."""
    rows_px: int
    """Size of the field of view; 0 where the source sends ROI values and no scans."""
    cols_px: int
    indptr: NeuronI32
    """(neuron + 1,) index of each neuron's first pixel in `roi_pixels`."""
    roi_pixels: RoiPixelsI32
    """Flat index row x cols + col of each pixel of each ROI; empty where it is unknown."""
    place_x: NeuronF32
    """(neuron,) centre of the receptive field by the twin's readout, -1 at the left of the screen
    and 1 at its right; empty where the twin has none."""
    place_y: NeuronF32
    """As `place_x`, -1 at the top and 1 at the bottom."""
    rois_hash: str = ""
