"""Who, what and why of a session: the section `session` of a config.

The recorder keeps it with the session; report, page and exports state it. The names follow those of
NWB, so that an export needs no further question.
"""

from datetime import date
from enum import StrEnum

from rtdecode.schema.config.section import Positive, Section


class Sex(StrEnum):
    """Sex of the animal, by the letters of NWB."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"
    UNKNOWN = "U"


class AnimalConfig(Section):
    """The animal."""

    id: str = ""
    """Name of the animal in the laboratory."""
    species: str = "Mus musculus"
    """Species, by its Latin name."""
    sex: Sex = Sex.UNKNOWN
    """F, M, O (other) or U (unknown)."""
    born: date | None = None
    """Date of birth, YYYY-MM-DD; its age is computed from it."""
    strain: str = ""
    """Strain, such as C57BL/6J."""
    genotype: str = ""
    """Genotype, such as Slc17a7-Cre; Ai162."""
    weight_g: Positive | None = None
    """Weight in g at the day of the session."""
    notes: str = ""
    """Surgery, window, virus, and what else belongs to the animal."""


class ImagingConfig(Section):
    """What was imaged, and how."""

    microscope: str = ""
    """Name of the microscope."""
    location: str = ""
    """Area and layer, by name or acronym of the Allen Mouse Brain Atlas, which archives expect:
    VISp2/3 for layer 2/3 of V1."""
    indicator: str = ""
    """Calcium indicator, such as GCaMP6s."""
    depth_um: Positive | None = None
    """Depth below the surface of the brain in µm."""
    excitation_nm: Positive | None = None
    """Wavelength of excitation in nm."""
    emission_nm: Positive | None = None
    """Wavelength of emission in nm."""
    pixel_um: Positive | None = None
    """Width of a pixel of the field of view in µm."""


class MetadataConfig(Section):
    """Who, what and why; all of it is optional, and is kept with the session."""

    description: str = ""
    """What this session is for, in a sentence."""
    experimenter: tuple[str, ...] = ()
    """Who did the experiment, as "Last, First"."""
    laboratory: str = ""
    """Name of the laboratory."""
    institution: str = ""
    """Name of the institution."""
    protocol: str = ""
    """Number of the ethics approval, or of the animal protocol."""
    keywords: tuple[str, ...] = ()
    """Words to find the session by."""
    notes: str = ""
    """Anything else; `rtdecode note` adds notes with their time during and after a session."""
    animal: AnimalConfig = AnimalConfig()
    imaging: ImagingConfig = ImagingConfig()
