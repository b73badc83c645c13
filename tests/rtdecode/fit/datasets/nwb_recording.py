"""NWB files as pynwb writes them, for the tests of their readers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.image import ImageSeries
from pynwb.ophys import ImageSegmentation, OpticalChannel, PlaneSegmentation, RoiResponseSeries

Array = np.ndarray


class NwbRecording:
    """An NWB file that grows part by part, 20 s scanned at 10 Hz, written by pynwb itself."""

    neurons, seconds, scan_hz = 5, 20, 10.0

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mouse.nwb"
        self.file = NWBFile("made up", "made up", datetime(2026, 1, 1, tzinfo=UTC))
        device = self.file.create_device("microscope")
        channel = OpticalChannel(name="green", description="-", emission_lambda=520.0)
        self.plane = self.file.create_imaging_plane(
            name="plane", device=device, description="-", excitation_lambda=920.0,
            indicator="GCaMP6s", location="V1",
            optical_channel=channel,
        )  # fmt: skip
        self.ophys = self.file.create_processing_module("ophys", "-")
        self.segmentation = ImageSegmentation()
        self.ophys.add(self.segmentation)

    def activity(
        self,
        values: Array,
        *,
        name: str = "Deconvolved",
        accepted: list[bool] | None = None,
        **at: Any,
    ) -> None:
        """(scan, neuron) values of one plane."""
        cells = PlaneSegmentation(
            name=f"cells of {name}", description="-", imaging_plane=self.plane
        )
        self.segmentation.add_plane_segmentation(cells)
        for _ in range(values.shape[1]):
            cells.add_roi(pixel_mask=[(0, 0, 1.0)])
        if accepted is not None:
            cells.add_column(name="Accepted", description="-", data=accepted)
        rois = cells.create_roi_table_region("-", region=list(range(values.shape[1])))
        at = at or {"rate": self.scan_hz, "starting_time": 0.0}
        self.ophys.add(RoiResponseSeries(name=name, data=values, unit="n.a.", rois=rois, **at))

    def screen(self, video: Array, *, name: str = "movie", **at: Any) -> None:
        at = at or {"rate": 30.0, "starting_time": 0.0}
        self.file.add_stimulus(ImageSeries(name=name, data=video, unit="n.a.", **at))

    def behave(self, *series: Any) -> None:
        self.file.create_processing_module("behavior", "-").add(list(series))

    def trials(self, spans: list[tuple[float, float]], **columns: list[str]) -> None:
        for name in columns:
            self.file.add_trial_column(name, "-")
        for k, (start_s, stop_s) in enumerate(spans):
            told = {name: values[k] for name, values in columns.items()}
            self.file.add_trial(start_time=start_s, stop_time=stop_s, **told)

    def written(self) -> Path:
        with NWBHDF5IO(str(self.path), "w") as out:
            out.write(self.file)
        return self.path

    def ramp(self, neurons: int = neurons) -> Array:
        """(scan, neuron) seconds since the start, plus ten for each neuron."""
        at_s = np.arange(self.seconds * self.scan_hz) / self.scan_hz
        return at_s[:, None] + 10.0 * np.arange(neurons)

    def dark(self) -> Array:
        """(frame, row, col) a screen that stays black."""
        return np.zeros((self.seconds * 30, 36, 64), np.uint8)
