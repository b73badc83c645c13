"""The stage of the calcium chain as the decoder sees it, and the one that joins several planes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rtdecode.calcium.field_picture import PlaneField
from rtdecode.calcium.plane_join import PlaneJoin
from rtdecode.schema.arrays import content_hash
from rtdecode.schema.config.calcium import plane_folder
from rtdecode.schema.messages import Event, Fluorescence, Received, Responses

Out = Fluorescence | Responses | Event


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

    @property
    def rois_hash(self) -> str:
        """Content hash of the ROIs of all planes; empty while or where they are unknown."""
        ...

    @property
    def kept(self) -> Mapping[str, str]:
        """Content hash of each file that `save` writes, as far as its content is known."""
        ...

    @property
    def fields(self) -> Sequence[PlaneField] | None:
        """The field of view of each plane, empty while ROIs are unknown; None without scans."""
        ...

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        """Scans in, fluorescence and responses out."""
        ...

    def save(self, folder: Path) -> None:
        """Write ROIs and calibration into a session, as far as they are known.

        A file that exists is left as it is: neurons keep their order for the whole session.
        """
        ...


def joined_hash(planes: Sequence[str]) -> str:
    """Content hash of the ROIs of several planes from those of each; empty if one is unknown."""
    return content_hash(*planes) if all(planes) else ""


class PlanesChain:
    """A chain for each of several planes; their responses are joined.

    The files of each plane are in a folder of its own, from which another run can read them.
    """

    def __init__(self, chains: Mapping[int, CalciumStage]) -> None:
        self._chains = chains
        self._join = PlaneJoin(len(chains))
        self._rois_hash = ""

    @property
    def neurons(self) -> int | None:
        known = [count for count in self._counts() if count is not None]
        return sum(known) if len(known) == len(self._chains) else None

    @property
    def calibrated(self) -> bool:
        return all(chain.calibrated for chain in self._chains.values())

    @property
    def rois_hash(self) -> str:
        if not self._rois_hash:
            self._rois_hash = joined_hash([chain.rois_hash for chain in self._chains.values()])
        return self._rois_hash

    @property
    def kept(self) -> dict[str, str]:
        return {
            f"{plane_folder(plane)}/{name}": found
            for plane, chain in self._chains.items()
            for name, found in chain.kept.items()
        }

    @property
    def fields(self) -> Sequence[PlaneField]:
        each = [chain.fields or () for chain in self._chains.values()]
        return [field for fields in each for field in fields] if all(each) else []

    def step(self, items: Sequence[Received]) -> Iterator[Out]:
        for item in items:
            for place, chain in enumerate(self._chains.values()):
                for out in chain.step([item]):
                    if isinstance(out, Responses):
                        frames = self._join.completed_frames(
                            out, place=place, counts=self._counts()
                        )
                        yield from (replace(one, rois_hash=self.rois_hash) for one in frames)
                    else:
                        yield out

    def save(self, folder: Path) -> None:
        for plane, chain in self._chains.items():
            where = folder / plane_folder(plane)
            where.mkdir(parents=True, exist_ok=True)
            chain.save(where)

    def _counts(self) -> list[int | None]:
        return [chain.neurons for chain in self._chains.values()]
