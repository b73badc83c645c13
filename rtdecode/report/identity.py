"""Who, when, with which twin and software: the head of a report."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from rtdecode.report.session_summary import SessionSummary
from rtdecode.schema.config import RunConfig
from rtdecode.schema.config.metadata import AnimalConfig, ImagingConfig, MetadataConfig
from rtdecode.schema.config.stimulus import StimulusConfig

Rows = list[list[str]]
NOT_STATED = "not stated (section session of the config)"
_HASH_LETTERS = 12
_WEEK_DAYS = 7


def who_and_when(summary: SessionSummary, config: RunConfig) -> Rows:
    """Rows of animal, date, experimenter and protocol; what the config lacks is stated once."""
    stated = config.session
    rows = [
        ["animal", _animal(stated.animal, _day(summary)) or NOT_STATED],
        ["date", _date(summary)],
        ["length", _length(summary.seconds)],
        ["experimenter", "; ".join(stated.experimenter) or NOT_STATED],
        ["protocol", stated.protocol or NOT_STATED],
        ["imaging", _imaging(stated.imaging, config) or NOT_STATED],
        ["screen", _screen(config.stimulus)],
    ]
    return [*rows, *([name, text] for name, text in _more(stated) if text)]


def _more(stated: MetadataConfig) -> Iterator[tuple[str, str]]:
    yield "description", stated.description
    yield "laboratory", ", ".join(filter(None, (stated.laboratory, stated.institution)))
    yield "keywords", ", ".join(stated.keywords)
    yield "notes", stated.notes
    yield "notes on the animal", stated.animal.notes


def _day(summary: SessionSummary) -> date | None:
    begin = summary.begins_utc
    return None if begin is None else date.fromisoformat(begin[:10])


def _date(summary: SessionSummary) -> str:
    begin = summary.begins_utc
    if begin is None:
        return f"not recorded; the session is named {summary.session}"
    return f"{begin[:10]}, {begin[11:19]} UTC"


def _length(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def _animal(animal: AnimalConfig, day: date | None) -> str:
    if not animal.id:
        return ""
    parts = [animal.id, animal.species, animal.sex.value.replace("U", "sex unknown")]
    if animal.born is not None:
        age = "" if day is None else f" ({_age(animal.born, day)})"
        parts.append(f"born {animal.born}{age}")
    weight = "" if animal.weight_g is None else f"{animal.weight_g:g} g"
    return ", ".join(filter(None, (*parts, animal.strain, animal.genotype, weight)))


def _age(born: date, day: date) -> str:
    days = (day - born).days
    return f"{days // _WEEK_DAYS} weeks" if days >= _WEEK_DAYS else f"{days} days"


def _imaging(imaging: ImagingConfig, config: RunConfig) -> str:
    source = config.acquisition.source
    rate_hz = getattr(source, "scan_rate_hz", None)
    known = [
        imaging.microscope,
        imaging.location,
        imaging.indicator,
        "" if imaging.depth_um is None else f"{imaging.depth_um:g} µm deep",
        "" if imaging.excitation_nm is None else f"{imaging.excitation_nm:g} nm",
        "" if imaging.pixel_um is None else f"{imaging.pixel_um:g} µm a pixel",
        f"source {source.kind}",
        "" if rate_hz is None else f"{rate_hz:g} scans a second",
        f"{config.calcium.planes} planes" if config.calcium.planes > 1 else "",
    ]
    return ", ".join(filter(None, known))


def _screen(stimulus: StimulusConfig) -> str:
    size = f"{stimulus.rows_px} × {stimulus.cols_px} px movie"
    return f"{stimulus.presenter.value} presenter, {size}"


def twin_rows(facts: Mapping[str, Any], recorded_hash: str, config: RunConfig) -> Rows:
    """Rows of the twin: from `session.json`, else from what log and config have."""
    if config.decode is None:
        return []
    known = facts.get("twin")
    twin: Mapping[str, Any] = known if isinstance(known, dict) else {}
    folder = twin.get("folder") or ", ".join(map(str, config.decode.twin_folders))
    whole = str(twin.get("hash") or recorded_hash)
    r = twin.get("training_r")
    rows = [
        ["name", str(twin.get("name") or folder.rpartition("/")[2] or "not recorded")],
        ["content hash", whole or "not recorded"],
        ["score at training", "not recorded" if r is None else f"single-trial r {r:.2f}"],
        ["training", _training(twin)],
        ["neurons", str(twin.get("neurons") or "not recorded")],
        ["folder", folder],
    ]
    if known and recorded_hash and recorded_hash != whole:
        rows.append(["differs", f"the decoder used a twin of the hash {recorded_hash}"])
    return rows


def _training(twin: Mapping[str, Any]) -> str:
    clips = twin.get("clips")
    parts = [
        str(twin.get("training") or ""),
        f"on session {twin['trained_on']}" if twin.get("trained_on") else "",
        f"{clips} clips" if clips else "",
        f"weights written {str(twin['written'])[:10]}" if twin.get("written") else "",
    ]
    return ", ".join(filter(None, parts)) or "not recorded"


def software_rows(summary: SessionSummary) -> Rows:
    """Rows of versions, commit and machine; empty where the environment was not recorded."""
    found = summary.environment
    versions = found.get("versions") or {}
    rows = [
        ["rtdecode", str(versions.get("rtdecode", "not recorded"))],
        ["commit", str(found.get("git_revision", "not recorded"))],
        ["Python", str(found.get("python", "not recorded"))],
        ["packages", ", ".join(f"{n} {v}" for n, v in versions.items() if n != "rtdecode")],
        ["machine", _machine(found)],
    ]
    return [row for row in rows if row[1]] if found else []


def _machine(found: Mapping[str, Any]) -> str:
    cores, memory = found.get("cores"), found.get("memory_mb")
    parts = [
        str(found.get("system", "")),
        str(found.get("cpu", "")),
        f"{cores} cores" if cores else "",
        f"{memory / 1000:.0f} GB" if isinstance(memory, int | float) else "",
    ]
    return ", ".join(filter(None, parts))


def lead_of(summary: SessionSummary, config: RunConfig) -> str:
    """One line below the title: animal, date and length."""
    animal = config.session.animal.id
    begin = summary.begins_utc
    parts = [
        f"Animal {animal}" if animal else "",
        f"{begin[:10]} {begin[11:16]} UTC" if begin else "",
        _length(summary.seconds),
        config.session.description,
    ]
    return " · ".join(filter(None, parts))
