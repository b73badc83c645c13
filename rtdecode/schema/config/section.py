"""The base class of all sections of a config, and the ranges of their numbers."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a config: immutable; an unknown key is an error.

    A subclass lists in `earlier_names` the keys that were renamed. An earlier key is read as the
    present one; a section with both is refused, since one of the two values would be ignored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    earlier_names: ClassVar[Mapping[str, str]] = {}
    """Earlier key → present key."""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        for earlier, present in cls.earlier_names.items():
            if earlier in given and present in given:
                raise ValueError(
                    f"{earlier} is the earlier name of {present}, and both are given: "
                    f"remove {earlier}"
                )
        return {cls.earlier_names.get(key, key): value for key, value in given.items()}


Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65535)]


class AfterFailure(StrEnum):
    """What a failure of the bridge or of the stimulus means for the run."""

    RESTART = "restart"
    END_RUN = "end_run"


def is_unicode(text: str) -> bool:
    r"""False with half a surrogate pair, which no message and no file of a session can have.

    >>> is_unicode("Mäuse"), is_unicode("mouse\udcff")
    (True, False)
    """
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)
