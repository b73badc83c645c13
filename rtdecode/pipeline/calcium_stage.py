"""The calcium chain of a run, with ROIs from files, from a detector, or from the microscope."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.chain import CalciumChain
from rtdecode.calcium.detect import detected_rois
from rtdecode.calcium.field_check import BlackStart, is_black
from rtdecode.calcium.field_picture import PlaneField
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.roi_chain import RoiChain
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import PixelLists, Rois
from rtdecode.pipeline.planes_stage import CalciumStage, Out, PlanesChain
from rtdecode.pipeline.warm_up import warm_up_calcium
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import LslRoisSource
from rtdecode.schema.config.calcium import (
    CALIBRATION_FILE,
    MASKS_FILE,
    CalciumConfig,
    Detector,
    plane_folder,
)
from rtdecode.schema.errors import RoisMissingError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Received, Scan

log = logging.getLogger(__name__)


def calcium_stage(config: RunConfig, *, clock: Clock, kept: Path | None = None) -> CalciumStage:
    """The chain of a run of `config`, with its loops compiled.

    Parameters
    ----------
    kept
        Session folder from which a restarted decoder loads the ROIs and the calibration that were
        saved before the restart; they precede the files and the detector of `config`.

    Raises
    ------
    RoisMissingError
        If the config names neither ROIs nor a detector.
    BadInputError
        If a file of ROIs or of a calibration cannot be used.
    """
    calcium = config.calcium
    warm_up_calcium(clock, registration=calcium.registration)
    if calcium.rois_from_source or isinstance(config.acquisition.source, LslRoisSource):
        return RoisChain(_with_kept(config, calcium, kept), clock=clock)
    if not calcium.several_planes:
        return _of_one_plane(config, calcium, kept, clock=clock)
    return PlanesChain(
        {
            plane: _of_one_plane(
                config, calcium.of_plane(plane), kept and kept / plane_folder(plane), clock=clock
            )
            for plane in calcium.decoded_planes
        }
    )


def _with_kept(config: RunConfig, calcium: CalciumConfig, folder: Path | None) -> RunConfig:
    """`config` with `calcium`, and in it the files of the session that are in `folder`."""
    found: dict[str, Path | None] = {}
    if folder is not None and (folder / MASKS_FILE).is_file():
        found |= {"rois": folder / MASKS_FILE, "rois_table": None}
    if folder is not None and (folder / CALIBRATION_FILE).is_file():
        found["calibration"] = folder / CALIBRATION_FILE
    return config.model_copy(update={"calcium": calcium.model_copy(update=found)})


def _of_one_plane(
    config: RunConfig, calcium: CalciumConfig, kept: Path | None, *, clock: Clock
) -> CalciumStage:
    config = _with_kept(config, calcium, kept)
    if config.calcium.rois is not None:
        made = _with_rois_of(config.calcium.rois, config, clock=clock)
        # the decoder before the restart has checked the field: one that is lost now can return
        if kept and isinstance(made, MaskedChain) and (kept / CALIBRATION_FILE).is_file():
            made.accept_field()
        return made
    if config.calcium.detector is Detector.NONE:
        raise RoisMissingError
    return DetectingChain(config, clock=clock)


def _with_rois_of(path: Path, config: RunConfig, *, clock: Clock) -> CalciumStage:
    """The chain with the ROIs of a file; the calibration or the first scan gives their field."""
    calibration = _calibration(config.calcium.calibration)
    shape = None if calibration is None else calibration.shape
    found = read_pixel_lists(path, shape=shape, table=config.calcium.rois_table)
    if isinstance(found, Rois):
        return MaskedChain(found, config, clock=clock)
    if shape is None and not found.placed_without_scan:
        return FirstScanChain(found, config, clock=clock)
    return MaskedChain(found.placed(shape), config, clock=clock)


class _OneChain:
    """A stage around one chain, which saves the chain's calibration."""

    def __init__(self, chain: CalciumChain | RoiChain) -> None:
        self._chain = chain
        self.rois_hash = ""
        self._hashed: Calibration | None = None
        self._calibration_hash = ""

    @property
    def kept(self) -> dict[str, str]:
        calibration = self._chain.calibration
        if calibration is None:
            return {}
        if self._hashed is not calibration:
            self._hashed, self._calibration_hash = calibration, calibration.hash
        return {CALIBRATION_FILE: self._calibration_hash}

    @property
    def calibrated(self) -> bool:
        return self._chain.calibration is not None

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        yield from self._chain.step(items)

    def save(self, folder: Path) -> None:
        path = folder / CALIBRATION_FILE
        if self._chain.calibration is not None and not path.exists():
            with written_atomically(path) as unfinished:
                self._chain.calibration.save(unfinished)


class MaskedChain(_OneChain):
    """A calcium chain with given ROIs, and the calibration that the config names."""

    def __init__(self, rois: Rois, config: RunConfig, *, clock: Clock) -> None:
        calibration = _calibration(config.calcium.calibration)
        target = _calibration(config.calcium.rescale_to)
        self._rois = rois
        chain = CalciumChain(
            config.calcium,
            rois=rois,
            grid=FrameGrid(config.frame_rate_hz),
            scan_rate_hz=config.acquisition.source.scan_rate_hz,
            reference=None,
            calibration=calibration,
            target=target,
            clock=clock,
        )
        super().__init__(chain)
        self.rois_hash, self.accept_field = rois.hash, chain.accept_field
        self._masked = chain

    @property
    def neurons(self) -> int:
        return self._rois.count

    @property
    def fields(self) -> Sequence[PlaneField]:
        return [self._masked.field]

    @property
    def kept(self) -> dict[str, str]:
        return {MASKS_FILE: self.rois_hash, **super().kept}

    def save(self, folder: Path) -> None:
        path = folder / MASKS_FILE
        if not path.exists():
            with written_atomically(path) as unfinished:
                self._rois.save(unfinished)
        super().save(folder)


class RoisChain(_OneChain):
    """A chain for ROI values that the microscope's program sends."""

    fields = None

    def __init__(self, config: RunConfig, *, clock: Clock) -> None:
        self._rois = RoiChain(
            config.calcium,
            grid=FrameGrid(config.frame_rate_hz),
            scan_rate_hz=config.acquisition.source.scan_rate_hz,
            calibration=_calibration(config.calcium.calibration),
            target=_calibration(config.calcium.rescale_to),
            clock=clock,
        )
        super().__init__(self._rois)

    @property
    def neurons(self) -> int | None:
        return self._rois.neurons


def _calibration(path: Path | None) -> Calibration | None:
    return None if path is None else Calibration.load(path)


class _LaterChain:
    """A stage whose chain begins with its first scans."""

    _chain: MaskedChain | None = None

    @property
    def calibrated(self) -> bool:
        return self._chain is not None and self._chain.calibrated

    @property
    def rois_hash(self) -> str:
        return "" if self._chain is None else self._chain.rois_hash

    @property
    def kept(self) -> dict[str, str]:
        return {} if self._chain is None else self._chain.kept

    @property
    def fields(self) -> Sequence[PlaneField]:
        return [] if self._chain is None else self._chain.fields

    def save(self, folder: Path) -> None:
        if self._chain is not None:
            self._chain.save(folder)


class FirstScanChain(_LaterChain):
    """A chain whose ROIs are placed in a field of the size of the first scan, which sets it up.

    An NWB file may leave the size of the field open, and does not fix the order of its axes.
    """

    def __init__(self, found: PixelLists, config: RunConfig, *, clock: Clock) -> None:
        self._found, self._config, self._clock = found, config, clock
        (self._plane,) = config.calcium.decoded_planes

    @property
    def neurons(self) -> int:
        return self._found.count if self._chain is None else self._chain.neurons

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if self._chain is None and isinstance(body, Scan) and body.plane == self._plane:
                rows, cols = body.pixels_counts.shape
                rois = self._found.placed((rows, cols))
                self._chain = MaskedChain(rois, self._config, clock=self._clock)
            if self._chain is not None:
                yield from self._chain.step([item])


class DetectingChain(_LaterChain):
    """A chain that buffers the first scans, detects cells in them, and then processes all scans.

    No scan is lost: the buffered ones are processed as soon as the cells are known.
    """

    def __init__(self, config: RunConfig, *, clock: Clock) -> None:
        self._config, self._clock = config, clock
        (self._plane,) = config.calcium.decoded_planes
        self._kept: list[Received] = []
        self._black = BlackStart()

    @property
    def neurons(self) -> int | None:
        return None if self._chain is None else self._chain.neurons

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            if self._chain is not None:
                yield from self._chain.step([item])
            elif isinstance(item.message.body, Scan) and item.message.body.plane == self._plane:
                yield from self._keep(item, item.message.body)

    def _keep(self, item: Received, scan: Scan) -> Iterator[Out]:
        if is_black(scan.pixels_counts):
            yield from self._black.add(1)
            return
        yield from self._black.rest()
        self._kept.append(item)
        if len(self._kept) < self._config.calcium.detector_scans:
            return
        self._chain = MaskedChain(self._found(), self._config, clock=self._clock)
        log.info("found %d cells in the first %d scans", self._chain.neurons, len(self._kept))
        kept, self._kept = self._kept, []
        yield from self._chain.step(kept)

    def _found(self) -> Rois:
        calcium = self._config.calcium
        bodies = (item.message.body for item in self._kept)
        scans = [body.pixels_counts for body in bodies if isinstance(body, Scan)]
        first = scans[: calcium.reference_scans]
        return detected_rois(
            scans,
            reference=mean_of_aligned(first, max_shift_px=calcium.max_shift_px),
            max_shift_px=calcium.max_shift_px,
        )
