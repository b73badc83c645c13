"""The calcium chain of a run, with ROIs from files, from a detector, or from the microscope."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rtdecode.calcium import CalciumChain
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.detect import detected_rois
from rtdecode.calcium.field_check import BlackStart, is_black
from rtdecode.calcium.plane_join import PlaneJoin
from rtdecode.calcium.register import mean_of_aligned
from rtdecode.calcium.roi_chain import RoiChain
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.calcium.rois import PixelLists, Rois
from rtdecode.pipeline.warm_up import warm_up_calcium
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.acquisition import LslRoisSource
from rtdecode.schema.config.calcium import CALIBRATION_FILE, MASKS_FILE, Detector, plane_folder
from rtdecode.schema.errors import RoisMissingError
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Event, Fluorescence, Health, Received, Responses, Scan

log = logging.getLogger(__name__)
Out = Fluorescence | Responses | Health | Event


class CalciumStage(Protocol):
    """A calcium chain, irrespective of the source of its ROIs."""

    @property
    def neurons(self) -> int | None:
        """Number of neurons; None while it is unknown."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether it has a calibration, read from a file or measured."""
        ...

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        """Scans in, fluorescence and responses out."""
        ...

    def save(self, folder: Path) -> None:
        """Write ROIs and calibration into a session, as far as they are known."""
        ...


def calcium_stage(config: RunConfig, *, clock: Clock) -> CalciumStage:
    """The chain of a run of `config`, with its loops compiled.

    Raises
    ------
    RoisMissingError
        If the config names neither ROIs nor a detector.
    BadInputError
        If a file of ROIs or of a calibration cannot be used.
    """
    warm_up_calcium(clock)
    calcium = config.calcium
    if calcium.rois_from_source or isinstance(config.acquisition.source, LslRoisSource):
        return RoisChain(config, clock=clock)
    if not calcium.several_planes:
        return _of_one_plane(config, clock=clock)
    planes = {
        plane: config.model_copy(update={"calcium": calcium.of_plane(plane)})
        for plane in calcium.decoded_planes
    }
    return PlanesChain({plane: _of_one_plane(one, clock=clock) for plane, one in planes.items()})


def _of_one_plane(config: RunConfig, *, clock: Clock) -> CalciumStage:
    if config.calcium.rois is not None:
        return _with_rois_of(config.calcium.rois, config, clock=clock)
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

    @property
    def calibrated(self) -> bool:
        return self._chain.calibration is not None

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        yield from self._chain.step(items)

    def save(self, folder: Path) -> None:
        if self._chain.calibration is not None:
            self._chain.calibration.save(folder / CALIBRATION_FILE)


class MaskedChain(_OneChain):
    """A calcium chain with given ROIs, and the calibration that the config names."""

    def __init__(self, rois: Rois, config: RunConfig, *, clock: Clock) -> None:
        calibration = _calibration(config.calcium.calibration)
        target = _calibration(config.calcium.rescale_to)
        self._rois = rois
        super().__init__(
            CalciumChain(
                config.calcium,
                rois=rois,
                grid=FrameGrid(config.frame_rate_hz),
                scan_rate_hz=config.acquisition.source.scan_rate_hz,
                reference=None,
                calibration=calibration,
                target=target,
                clock=clock,
            )
        )

    @property
    def neurons(self) -> int:
        return self._rois.count

    def save(self, folder: Path) -> None:
        self._rois.save(folder / MASKS_FILE)
        super().save(folder)


class RoisChain(_OneChain):
    """A chain for ROI values that the microscope's program sends."""

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


class PlanesChain:
    """A chain for each of several planes; their responses are joined.

    The files of each plane are in a folder of its own, from which another run can read them.
    """

    def __init__(self, chains: Mapping[int, CalciumStage]) -> None:
        self._chains = chains
        self._join = PlaneJoin(len(chains))

    @property
    def neurons(self) -> int | None:
        known = [count for count in self._counts() if count is not None]
        return sum(known) if len(known) == len(self._chains) else None

    @property
    def calibrated(self) -> bool:
        return all(chain.calibrated for chain in self._chains.values())

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            for place, chain in enumerate(self._chains.values()):
                for out in chain.step([item]):
                    if isinstance(out, Responses):
                        yield from self._join.completed_frames(
                            out, place=place, counts=self._counts()
                        )
                    else:
                        yield out

    def save(self, folder: Path) -> None:
        for plane, chain in self._chains.items():
            where = folder / plane_folder(plane)
            where.mkdir(parents=True, exist_ok=True)
            chain.save(where)

    def _counts(self) -> list[int | None]:
        return [chain.neurons for chain in self._chains.values()]


def _calibration(path: Path | None) -> Calibration | None:
    return None if path is None else Calibration.load(path)


class FirstScanChain:
    """A chain whose ROIs are placed in a field of the size of the first scan, which sets it up.

    An NWB file may leave the size of the field open, and does not fix the order of its axes.
    """

    def __init__(self, found: PixelLists, config: RunConfig, *, clock: Clock) -> None:
        self._found, self._config, self._clock = found, config, clock
        (self._plane,) = config.calcium.decoded_planes
        self._chain: MaskedChain | None = None

    @property
    def neurons(self) -> int:
        return self._found.count if self._chain is None else self._chain.neurons

    @property
    def calibrated(self) -> bool:
        return self._chain is not None and self._chain.calibrated

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            body = item.message.body
            if self._chain is None and isinstance(body, Scan) and body.plane == self._plane:
                rows, cols = body.pixels_counts.shape
                rois = self._found.placed((rows, cols))
                self._chain = MaskedChain(rois, self._config, clock=self._clock)
            if self._chain is not None:
                yield from self._chain.step([item])

    def save(self, folder: Path) -> None:
        if self._chain is not None:
            self._chain.save(folder)


class DetectingChain:
    """A chain that buffers the first scans, detects cells in them, and then processes all scans.

    No scan is lost: the buffered ones are processed as soon as the cells are known.
    """

    def __init__(self, config: RunConfig, *, clock: Clock) -> None:
        self._config, self._clock = config, clock
        (self._plane,) = config.calcium.decoded_planes
        self._kept: list[Received] = []
        self._black = BlackStart()
        self._chain: MaskedChain | None = None

    @property
    def neurons(self) -> int | None:
        return None if self._chain is None else self._chain.neurons

    @property
    def calibrated(self) -> bool:
        return self._chain is not None and self._chain.calibrated

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            if self._chain is not None:
                yield from self._chain.step([item])
            elif isinstance(item.message.body, Scan) and item.message.body.plane == self._plane:
                yield from self._keep(item, item.message.body)

    def save(self, folder: Path) -> None:
        if self._chain is not None:
            self._chain.save(folder)

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
