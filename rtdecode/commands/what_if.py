"""`rtdecode replay --config`: replays with other settings, compared in one table.

`rtdecode.commands.replay` imports it when there are such settings, as it needs torch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from rtdecode.commands.console import in_columns, print_plain
from rtdecode.commands.replay_options import ReplayOptions
from rtdecode.commands.replay_progress import ReplayProgress
from rtdecode.pipeline.replay import replay_session
from rtdecode.pipeline.trial_replay import replay_trials
from rtdecode.pipeline.what_if import (
    UNCHANGED,
    Row,
    Setting,
    first_and_others,
    replayed_rows,
    table,
    write_rows,
)
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import FolderNotEmptyError, ReplayOptionError
from rtdecode.session.layout import SessionLayout, session_with_config


def compare(
    recorded: Path,
    configs: Sequence[Path],
    asked: ReplayOptions,
    *,
    data: RunConfig | None,
    console: Console,
) -> None:
    """Replay with the settings of each of `configs`, and print one table.

    Parameters
    ----------
    data
        The config of the replay of a data set; None for a session.
    """
    if asked.speed is not None:
        instead = "leave it out: replays are compared as fast as possible"
        raise ReplayOptionError(option="--speed with --config", replayed=recorded, instead=instead)
    session = None if data is not None else session_with_config(recorded)
    base = data or read_config(session_with_config(recorded).config)
    first, settings = first_and_others(session, base, configs)
    stopped: list[str] = []

    def replay(setting: Setting, into: SessionLayout) -> bool:
        faults = asked.faults()
        with ReplayProgress(console, faults=faults, name=setting.name) as progress:
            if session is None:
                replay_trials(setting.config, into, conduct=progress.conduct)
            else:
                replay_session(session, into, config=setting.config, conduct=progress.conduct)
        stopped.extend([setting.name] if progress.stopped else [])
        return not stopped

    beside = Path.cwd() if session is None else session.folder.resolve().parent
    with _folder(asked.out, beside) as folder:
        rows = [*first]
        for row in replayed_rows(settings, folder, keeps=asked.out is not None, replay=replay):
            rows.append(row)
            print_plain(console, f"{row.setting.name}: done")
    for line in _ending(rows, settings, stopped, asked):
        print_plain(console, line)


def _ending(
    rows: Sequence[Row], settings: Sequence[Setting], stopped: Sequence[str], asked: ReplayOptions
) -> Iterator[str]:
    """The lines of the table, what differs in each of its rows, and what is written where."""
    yield from in_columns(table(rows))
    for setting in settings:
        if setting.name != UNCHANGED:
            phrases = setting.changed or ("the settings of the session, with all solver steps",)
            yield from (f"{setting.name}: {phrase}" for phrase in phrases)
    if stopped:
        yield f"stopped as asked: {stopped[0]} and what follows it are not compared"
    if asked.json_file is not None:
        write_rows(rows, asked.json_file)
        yield f"table: {asked.json_file}"
    yield f"sessions: {asked.out}" if asked.out else "no session was kept; --out keeps them"


@contextmanager
def _folder(out: Path | None, beside: Path) -> Iterator[Path]:
    """The folder of the sessions of the replays: `out`, or one that is removed afterwards."""
    if out is None:
        # beside the recording, whose disk has room for its scans
        with TemporaryDirectory(prefix=".rtdecode-replays-", dir=beside) as folder:
            yield Path(folder)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FolderNotEmptyError(folder=out)
    out.mkdir(parents=True, exist_ok=True)
    yield out
