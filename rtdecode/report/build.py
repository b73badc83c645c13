"""Writes a session's report folder from its log and its summary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtdecode.evaluate.screen_mask import scoring_mask
from rtdecode.report import html
from rtdecode.report.closed_loop_page import Messages, closed_loop_section
from rtdecode.report.collected import Collected
from rtdecode.report.figure_files import styled, written
from rtdecode.report.session_report import MoreParts, write_page
from rtdecode.report.summary import SessionSummary, summarise
from rtdecode.report.trial_tables import CSV, TSV, write_trial_tables
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.disk import write_errors_named
from rtdecode.schema.errors import BadInputError, RtdecodeError
from rtdecode.schema.messages import Start
from rtdecode.session.layout import SessionLayout
from rtdecode.session.reader import LogReader
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.session_file import session_facts
from rtdecode.twins.record import twin_record

NOT_COMPARED = (
    "The offline estimate was not computed. `rtdecode report SESSION --offline` inverts the same "
    "responses of some clips offline, which takes minutes, and shows the difference here."
)


def report_session(
    session: SessionLayout,
    summary: SessionSummary,
    *,
    collected: Collected | None = None,
    folder: Path | None = None,
    online_offline: Sequence[str] = (),
) -> Path:
    """Write `summary.txt`, `index.html` and the figures into the report folder of `session`.

    Parameters
    ----------
    collected
        What `summarise` has added to it; None reads the log once more.
    folder
        Another folder to write into; made where it is missing.
    online_offline
        Parts of the section that compares the online with an offline estimate.

    Returns
    -------
    The page.

    Raises
    ------
    FileWriteError
        If the disk refuses a file.
    """
    into = session.report if folder is None else folder
    config = read_config(session.config)
    if collected is None:
        collected = Collected(frame_rate_hz=config.frame_rate_hz)
        summarise(session, collected=collected)
    with write_errors_named(into), styled():
        into.mkdir(parents=True, exist_ok=True)
        (into / "summary.txt").write_text(summary.text() + "\n", encoding="utf-8")
        recorded = RecordedSession(session.folder)
        trials = list(_trials(session, summary, collected, into))
        more = _more(recorded, summary, collected, config, folder=into)
        more = replace(more, trials=trials, online_offline=online_offline or more.online_offline)
        return write_page(into, summary, collected, config, mask=scoring_mask(config), more=more)


def _more(
    recorded: RecordedSession,
    summary: SessionSummary,
    collected: Collected,
    config: RunConfig,
    *,
    folder: Path,
) -> MoreParts:
    """The parts of the page that read some messages again, by the index of the log."""
    messages = _messages(recorded, summary)
    twin_hash = _twin_hash(messages)
    return MoreParts(
        cells=list(_cells(recorded, collected, config, folder)),
        online_offline=() if config.decode is None else (html.missing(NOT_COMPARED),),
        closed_loop=list(_closed_loop(messages, summary, config, folder)),
        facts=_facts(recorded, config, twin_hash),
        twin_hash=twin_hash,
        config_text=recorded.layout.config.read_text(encoding="utf-8"),
    )


def _messages(recorded: RecordedSession, summary: SessionSummary) -> Messages:
    """Reads messages of some kinds: by the index of the log, or all of a log that is damaged.

    The index knows no checksums, so that what it points to in a damaged log can be anything.
    """
    if summary.complete and not summary.damage:
        return recorded.messages
    reader = LogReader(recorded.layout.log)
    return lambda *kinds: reader.messages(lambda stream: stream.partition("/")[2] in kinds)


def _cells(
    recorded: RecordedSession, collected: Collected, config: RunConfig, folder: Path
) -> Iterator[str]:
    # the calcium chain takes half a second to import, and no other part needs it
    from rtdecode.report.cells import cells_section

    try:
        figures, parts, reason = cells_section(recorded, collected, config.calcium)
    except RtdecodeError as error:
        # a message that is damaged where the log has no checksum of it, or a file of the session
        figures, parts, reason = [], [], f"The cells are not shown: {error}."
    yield from (written(one, folder) for one in figures)
    yield from parts
    if reason:
        yield html.missing(reason)


def _closed_loop(
    messages: Messages, summary: SessionSummary, config: RunConfig, folder: Path
) -> Iterator[str]:
    if config.control is None:
        return
    figures, parts = closed_loop_section(messages, summary, config, folder)
    yield from (written(one, folder) for one in figures)
    yield from parts


def _trials(
    session: SessionLayout, summary: SessionSummary, collected: Collected, folder: Path
) -> Iterator[str]:
    if not collected.trials:
        return
    write_trial_tables(
        folder, collected.trials, first_ns=summary.first_ns, session=session.folder.name
    )
    n = len(collected.trials)
    stated = f"The trials of the protocol ({n:,}) are in {CSV} and {TSV} beside this page."
    yield html.paragraph(stated)
    if collected.trials_left_out:
        yield html.paragraph(
            f"The {collected.trials_left_out:,} trials after these are not in the tables, which "
            f"have the first {n:,} of a session; `rtdecode export` writes all."
        )


def _facts(recorded: RecordedSession, config: RunConfig, twin_hash: str) -> Mapping[str, Any]:
    """`session.json`; a session without one has the twin where its folder is still the same."""
    facts = session_facts(recorded.layout)
    if facts.get("twin") or config.decode is None or not config.decode.twin_folders:
        return facts
    try:
        record = twin_record(*config.decode.twin_folders)
    except BadInputError:
        return facts
    return {**facts, "twin": record.as_json()} if record.hash == twin_hash else facts


def _twin_hash(messages: Messages) -> str:
    """The newest hash of a twin in a START; empty where none states one."""
    bodies = (one.message.body for one in messages(Start.kind))
    hashes = [body.twin_hash for body in bodies if isinstance(body, Start) and body.twin_hash]
    return hashes[-1] if hashes else ""
