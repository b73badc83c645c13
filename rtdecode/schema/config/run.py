"""The whole config of a run."""

from enum import StrEnum
from pathlib import Path

from pydantic import field_validator

from rtdecode.schema.config.acquisition import AcquisitionConfig, RawMovieSource
from rtdecode.schema.config.calcium import CalciumConfig
from rtdecode.schema.config.decode import DecodeConfig, EmitConfig
from rtdecode.schema.config.section import Positive, Section
from rtdecode.schema.config.session import EvaluateConfig, NetworkConfig, RecordConfig, ViewConfig
from rtdecode.schema.config.stimulus import StimulusConfig


class Role(StrEnum):
    """The processes of a run, named as their folders are."""

    RECORDER = "recorder"
    STIMULUS = "stimulus"
    BRIDGE = "bridge"
    DECODER = "decoder"
    EVALUATE = "evaluate"
    VIEW = "view"


class RunConfig(Section):
    """One run: who takes part, for how long, and with which settings."""

    processes: tuple[Role, ...] = tuple(Role)
    seconds: Positive | None = None
    acquisition: AcquisitionConfig = AcquisitionConfig()
    stimulus: StimulusConfig = StimulusConfig()
    calcium: CalciumConfig = CalciumConfig()
    decode: DecodeConfig | None = DecodeConfig()
    emit: EmitConfig = EmitConfig()
    record: RecordConfig = RecordConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    view: ViewConfig = ViewConfig()
    network: NetworkConfig = NetworkConfig()

    def with_movie(self, movie: Path) -> "RunConfig":
        """The same run with the raw movie `movie` as its source; a configured rate stays."""
        source = self.acquisition.source
        if not isinstance(source, RawMovieSource):
            source = RawMovieSource()
        named = source.model_copy(update={"path": movie.resolve()})
        return self.model_copy(update={"acquisition": AcquisitionConfig(source=named)})

    @field_validator("processes")
    @classmethod
    def _recorded(cls, processes: tuple[Role, ...]) -> tuple[Role, ...]:
        if Role.RECORDER not in processes:
            raise ValueError("processes must include recorder: nothing starts without a recording")
        return processes
