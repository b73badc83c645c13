"""The config of a run, all sections together."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator, model_validator

from rtdecode.schema.config.acquisition import AcquisitionConfig, RawMovieSource
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.config.control import ControlConfig
from rtdecode.schema.config.decode import DecodeConfig, EmitConfig
from rtdecode.schema.config.metadata import MetadataConfig
from rtdecode.schema.config.network import NetworkConfig
from rtdecode.schema.config.roles import Role
from rtdecode.schema.config.section import Positive, Section
from rtdecode.schema.config.session import EvaluateConfig, RecordConfig, ViewConfig
from rtdecode.schema.config.stimulus import StimulusConfig

_RATE = "frame_rate_hz"
_SECTIONS_WITH_A_RATE = ("emit", "stimulus", "calcium")
"""Sections of earlier configs that each had a `frame_rate_hz`."""


class StartOn(StrEnum):
    """What starts a session whose processes are ready."""

    AT_ONCE = "at_once"
    ON_REQUEST = "on_request"
    """Another program, or `rtdecode start`."""
    ON_FIRST_SCAN = "on_first_scan"
    """The first scan of the microscope, for which the bridge waits; then the stimulus starts."""


class RunConfig(Section):
    """One run: its processes, its length, and the settings of each process."""

    processes: tuple[Role, ...] | None = None
    """Processes that `rtdecode run` starts; null starts all that the other settings need. With
    `decode: null` there is no evaluate, as there is nothing to score."""
    seconds: Positive | None = None
    """Length of the run in s; null runs until Ctrl-C or the end of the source."""
    start: StartOn = StartOn.AT_ONCE
    """What starts the session once all processes are ready: at_once; on_request, `rtdecode start`
    or another program; on_first_scan, the microscope, with whose first scan the stimulus starts and
    `seconds` begin."""
    frame_rate_hz: Positive = 30.0
    """Rate in Hz of movie, responses, reconstructions and their common frame grid. It must be the
    rate that the twin was trained at; the monitor must refresh at least as often."""
    session: MetadataConfig = MetadataConfig()
    acquisition: AcquisitionConfig = AcquisitionConfig()
    stimulus: StimulusConfig = StimulusConfig()
    calcium: CalciumConfig = CalciumConfig()
    decode: DecodeConfig | None = DecodeConfig()
    emit: EmitConfig = EmitConfig()
    control: ControlConfig | None = None
    record: RecordConfig = RecordConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    view: ViewConfig = ViewConfig()
    network: NetworkConfig = NetworkConfig()

    def with_movie(self, movie: Path) -> "RunConfig":
        """The same run with the raw movie `movie` as its source and the configured scan rate."""
        source = self.acquisition.source
        if not isinstance(source, RawMovieSource):
            source = RawMovieSource()
        named = source.model_copy(update={"path": movie.resolve()})
        return self.model_copy(update={"acquisition": AcquisitionConfig(source=named)})

    @field_validator("processes")
    @classmethod
    def _recorded(cls, processes: tuple[Role, ...] | None) -> tuple[Role, ...] | None:
        if processes is not None and Role.RECORDER not in processes:
            raise ValueError("processes must include recorder: nothing starts without a recording")
        return processes

    @model_validator(mode="after")
    def _scans_come_first(self) -> Self:
        if self.start is StartOn.ON_FIRST_SCAN and self.acquisition.source.kind == "simulated":
            raise ValueError(
                "start: on_first_scan needs a microscope; the simulated one watches the stimulus, "
                "and gives no scan before that starts"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _one_frame_rate(cls, given: Any) -> Any:
        """Read the frame rates of single sections, as earlier configs have them."""
        if not isinstance(given, Mapping):
            return given
        parts = {name: given.get(name) for name in _SECTIONS_WITH_A_RATE}
        rated = {
            name: dict(part)
            for name, part in parts.items()
            if isinstance(part, Mapping) and _RATE in part
        }
        if not rated:
            return given
        rates = {name: section.pop(_RATE) for name, section in rated.items()}
        rate = given.get(_RATE, _common_rate(rates))
        if differing := [name for name, found in rates.items() if found != rate]:
            keys = " and ".join(f"{name}.{_RATE}" for name in differing)
            differ = "differs" if len(differing) == 1 else "differ"
            raise ValueError(
                f"{keys} {differ} from the frame rate of the run, {rate}: movie, responses and "
                f"output have one rate; remove {keys} and set {_RATE} at the top"
            )
        return {**given, **rated, _RATE: rate}


def _common_rate(rates: Mapping[str, Any]) -> Any:
    """The rate of all three sections where they agree, else the default.

    An earlier config without one of the three keys had the default for it.
    """
    default = RunConfig.model_fields[_RATE].default
    effective = [rates.get(name, default) for name in _SECTIONS_WITH_A_RATE]
    agree = all(rate == effective[0] for rate in effective)
    return effective[0] if agree else default
