"""Who, what, when and with which software: the general part of an NWB file of a session.

Nothing is invented: what config and log do not state is left out, and `lacking` says in sentences
what to state in the config.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from rtdecode.datasets.nwb_export import CAUSALITY, ROIS_HASH
from rtdecode.export.nwb_library import nwb_library
from rtdecode.export.session_content import SessionContent
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.metadata import AnimalConfig, MetadataConfig
from rtdecode.schema.wall_clock import WallClock
from rtdecode.session.recorded import RecordedSession

UNKNOWN = "unknown"
_CONFIG, _VERSIONS = "rtdecode_config", "rtdecode_environment"
_NAMESPACE = uuid.UUID("2d1b6f0e-6f0a-5c0b-9a55-3a6d7c1f9b51")
"""Of the identifiers of exported sessions; an arbitrary constant."""


def general_part(session: RecordedSession, content: SessionContent, *, started: datetime) -> Any:
    """An NWBFile with the metadata of the session and nothing recorded yet."""
    stated = session.config.session
    return nwb_library().NWBFile(
        session_description=stated.description or "A session that rtdecode recorded.",
        identifier=identifier(content),
        session_start_time=started,
        session_id=session.name.replace("/", "_"),
        experiment_description=stated.description or None,
        experimenter=list(stated.experimenter) or None,
        lab=stated.laboratory or None,
        institution=stated.institution or None,
        protocol=stated.protocol or None,
        keywords=list(stated.keywords) or None,
        notes=stated.notes or None,
        was_generated_by=_software(content),
        subject=_subject(stated.animal, on=started.date()),
        stimulus_notes=_screen(session.config),
        data_collection=_software_sentence(content),
    )


def identifier(content: SessionContent) -> str:
    """UUID that is the same in every export of one session, and differs between sessions."""
    start = content.starts[0][2] if content.starts else None
    run = "" if start is None else f"{start.session}\n{start.config_yaml}"
    return str(uuid.uuid5(_NAMESPACE, f"{content.zero_ns}\n{run}"))


def start_time(session: RecordedSession, clock: WallClock | None) -> tuple[datetime, list[str]]:
    """Wall clock of the first message, in UTC, and a sentence where it was not recorded."""
    if clock is not None:
        return clock.utc(session.zero_ns), []
    written = datetime.fromtimestamp(session.layout.config.stat().st_mtime, UTC)
    return written, [
        "The session does not state when it began; session_start_time is the time at which its "
        "config.yaml was written."
    ]


def _subject(animal: AnimalConfig, *, on: date) -> Any:
    born = animal.born
    return nwb_library().file.Subject(
        subject_id=animal.id.replace("/", "_") or None,
        species=animal.species or None,
        sex=animal.sex.value,
        date_of_birth=None if born is None else datetime.combine(born, time(), UTC),
        age=None if born is None else f"P{(on - born).days}D",
        strain=animal.strain or None,
        genotype=animal.genotype or None,
        weight=None if animal.weight_g is None else f"{float(animal.weight_g)} g",
        description=animal.notes or None,
    )


def _software(content: SessionContent) -> list[list[str]] | None:
    """Names and versions of the software of the run."""
    versions: dict[str, str] = {}
    for _, _, start in content.starts:
        versions |= start.versions
    return [[name, version] for name, version in sorted(versions.items())] or None


def _software_sentence(content: SessionContent) -> str:
    revisions = sorted({start.git_revision for _, _, start in content.starts} - {""})
    revision = f", revision {' and '.join(revisions)}" if revisions else ""
    return (
        f"Recorded live by rtdecode{revision}. Times count from the first message of the session "
        f"on the monotonic clock of the decoder's computer. Scans as the microscope delivered "
        f"them are in the log of the session, not in this file."
    )


def _screen(config: RunConfig) -> str | None:
    monitor, stimulus = config.stimulus.monitor, config.stimulus
    if monitor is None:
        return None
    return (
        f"Monitor of {monitor.width_cm:g} cm width at {monitor.distance_cm:g} cm from the eye, "
        f"projection {monitor.warp.value}; delay from flip to light {stimulus.light_delay_ms:g} ms,"
        f" which the times include."
    )


def add_scratch(file: Any, session: RecordedSession, content: SessionContent) -> None:
    """Put resolved config, machine and versions, and the hash of the ROIs into the scratch."""
    text = session.layout.config.read_text(encoding="utf-8")
    file.add_scratch(text, name=_CONFIG, description="Resolved config of the session, in YAML.")
    _add_provenance(file, content)
    environment = session.metadata["environment"]
    if environment:
        text = json.dumps(environment, indent=2)
        what = "Versions, git revision and machine of the session, in JSON."
        file.add_scratch(text, name=_VERSIONS, description=what)


def _add_provenance(file: Any, content: SessionContent) -> None:
    if content.rois_hash:
        what = "Content hash of the ROIs, with which rtdecode compares those of a twin."
        file.add_scratch(content.rois_hash, name=ROIS_HASH, description=what)
    if content.measured:
        what = "Whether the activity is causal, or as published: preprocessed with later scans."
        file.add_scratch(content.causality, name=CAUSALITY, description=what)


def lacking(stated: MetadataConfig, *, config: str) -> list[str]:
    """Sentences on what the metadata lack, with the key of the config that states it."""
    animal = stated.animal
    asked = {
        "session.animal.id": animal.id,
        "session.animal.born": animal.born,
        "session.imaging.indicator": stated.imaging.indicator,
        "session.imaging.location": stated.imaging.location,
        "session.imaging.excitation_nm": stated.imaging.excitation_nm,
        "session.imaging.emission_nm": stated.imaging.emission_nm,
        "session.experimenter": stated.experimenter,
        "session.institution": stated.institution,
        "session.description": stated.description,
        "session.keywords": stated.keywords,
    }
    missing = [key for key, value in asked.items() if not value]
    if not missing:
        return []
    found = [_archive(missing)] if {"session.animal.id", "session.animal.born"} & {*missing} else []
    found.append(f"Not stated: {_listed(missing)}. State them in {config} and export again.")
    return found


def _archive(missing: Sequence[str]) -> str:
    names = {"session.animal.id": "id", "session.animal.born": "date of birth"}
    which = " and ".join(name for key, name in names.items() if key in missing)
    return f"The file does not state the {which} of the animal, which archives such as DANDI need."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
