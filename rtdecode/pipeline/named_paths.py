"""Files and folders that the processes of a run open, by their options in the config."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtdecode.schema.config import RunConfig
from rtdecode.schema.config import acquisition as sources
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.errors import MissingFileError

_GROWING = (sources.RawTailSource, sources.TiffTailSource, sources.ScanboxMmapSource)
_ANY = "a file or a folder"


@dataclass(frozen=True, slots=True)
class NamedPath:
    """A file or folder that the config names, and what it must be."""

    option: str
    path: Path
    remedy: str
    kinds: str = "a file"
    may_appear: bool = False
    """True for a file that the microscope has yet to write into an existing folder."""

    def mistake(self) -> MissingFileError | None:
        """The error to report where there is no such file or folder."""
        if self.may_appear and not self.path.exists() and self.path.parent.is_dir():
            return None
        try:
            mode = self.path.stat().st_mode
        except (OSError, ValueError):
            mode = 0
        is_file = stat.S_ISREG(mode) and "file" in self.kinds
        if is_file or (stat.S_ISDIR(mode) and "folder" in self.kinds):
            return None
        return MissingFileError(
            what=self.option, path=self.path, remedy=self.remedy, expected=self.kinds
        )


def named_paths(config: RunConfig, roles: set[Role]) -> Iterator[NamedPath]:
    """All paths that the processes `roles` would open."""
    if Role.BRIDGE in roles:
        yield from _source_paths(config.acquisition.source)
    if Role.STIMULUS in roles:
        yield from _stimulus_paths(config)
    if Role.DECODER in roles:
        for one in planes(config.calcium):
            yield from _calcium_paths(one)
        for folder in () if config.decode is None else config.decode.twin_folders:
            remedy = "give a folder that `rtdecode fit twin` or `rtdecode import-twin` wrote"
            option = "decode.twin" if config.decode and config.decode.twin else "decode.twins"
            yield NamedPath(option, folder, remedy, "a folder")
    if Role.EVALUATE in roles and config.evaluate.screen_mask is not None:
        remedy = "make one with `rtdecode fit mask`, or leave it out to score the whole screen"
        yield NamedPath("evaluate.screen_mask", config.evaluate.screen_mask, remedy)
    if Role.VIEW in roles and config.view.certificate and config.view.private_key:
        # imports the server of the page, whose packages a computer of a rig does not have
        from rtdecode.view.certificate import CERTIFICATE, PRIVATE_KEY, REMEDY

        yield NamedPath(CERTIFICATE, config.view.certificate, REMEDY)
        yield NamedPath(PRIVATE_KEY, config.view.private_key, REMEDY)


def _stimulus_paths(config: RunConfig) -> Iterator[NamedPath]:
    if config.stimulus.clips is not None:
        remedy = "give a video or a folder of videos, or leave it out for the embedded clips"
        yield NamedPath("stimulus.clips", config.stimulus.clips, remedy, _ANY)
    if (table := gamma_table_of(config)) is not None:
        remedy = "give luminances measured with a photometer, or the exponent of the monitor"
        yield NamedPath("stimulus.monitor.gamma", table, remedy)
    if config.stimulus.protocol is not None:
        remedy = "give a protocol in YAML or Python, or leave it out to display clips"
        yield NamedPath("stimulus.protocol", config.stimulus.protocol, remedy)


def gamma_table_of(config: RunConfig) -> Path | None:
    """The file of the monitor's luminances, if the config names one."""
    gamma = None if config.stimulus.monitor is None else config.stimulus.monitor.gamma
    return gamma if isinstance(gamma, Path) else None


def _source_paths(source: sources.Source) -> Iterator[NamedPath]:
    path: Path | None = getattr(source, "path", None)
    if path is not None:
        growing = isinstance(source, _GROWING)
        remedy = "give the file that the microscope writes, or the recording to stream"
        yield NamedPath("acquisition.source.path", path, remedy, _ANY, may_appear=growing)
    if isinstance(source, sources.RawTailSource) and source.experiment is not None:
        remedy = "give the Experiment.xml of ThorImage, or size and rate instead"
        yield NamedPath("acquisition.source.experiment", source.experiment, remedy)


def planes(calcium: CalciumConfig) -> list[CalciumConfig]:
    """The settings of each decoded plane."""
    several = calcium.several_planes
    return [calcium.of_plane(one) for one in calcium.decoded_planes] if several else [calcium]


def _calcium_paths(calcium: CalciumConfig) -> Iterator[NamedPath]:
    if calcium.rois is not None and not calcium.rois_from_source:
        yield NamedPath("calcium.rois", calcium.rois, "give the ROIs of this field of view", _ANY)
    for name in ("calibration", "rescale_to"):
        path: Path | None = getattr(calcium, name)
        if path is not None:
            yield NamedPath(f"calcium.{name}", path, "give calibration.npz of a session")
