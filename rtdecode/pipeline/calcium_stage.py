"""The calcium chain of a run: with masks from a file, or found in its first scans."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from rtdecode.calcium import CalciumChain
from rtdecode.calcium.calibration import Calibration
from rtdecode.calcium.masks import Masks
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.errors import MasksMissingError
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.messages import Fluorescence, Health, Received, Responses

Out = Fluorescence | Responses | Health


class CalciumStage(Protocol):
    """A calcium chain, however it comes by its masks."""

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        """Scans in, fluorescence and responses out."""
        ...


def calcium_stage(config: RunConfig, *, clock: Clock) -> tuple[CalciumStage, int | None]:
    """The chain of the run and its number of neurons, None where that must be found first.

    Raises MasksMissingError where the config names neither masks nor a detector; whatever the
    files of masks and calibration are wrong about.
    """
    calcium = config.calcium
    if calcium.masks is not None:
        masks = Masks.load(calcium.masks)
        return _chain(calcium, masks, config=config, clock=clock), masks.count
    raise MasksMissingError


def _chain(
    calcium: CalciumConfig, masks: Masks, *, config: RunConfig, clock: Clock
) -> CalciumChain:
    calibration = None
    if calcium.calibration is not None:
        calibration = Calibration.load(calcium.calibration)
    return CalciumChain(
        calcium,
        masks=masks,
        scan_rate_hz=config.acquisition.source.scan_rate_hz,
        reference=None,
        calibration=calibration,
        clock=clock,
    )
