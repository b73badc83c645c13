"""`rtdecode replay`: recorded sessions and data sets as if they were live.

Modules that need torch are imported when a replay begins, so that `rtdecode --help` is fast.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console

from rtdecode.commands.console import errors_reported, in_columns, print_plain
from rtdecode.commands.live import finish, record_session
from rtdecode.commands.replay_options import (
    Configs,
    DataOptions,
    Drop,
    InputName,
    Jitter,
    Json,
    Mask,
    Out,
    PolicyFile,
    Recorded,
    ReplayOptions,
    Seed,
    Source,
    Speed,
    Tier,
    Trials,
    Twin,
    milliseconds,
    percent,
    trial_numbers,
)
from rtdecode.commands.replay_progress import ReplayProgress
from rtdecode.commands.sessions import remove_refused, summarise_and_report
from rtdecode.report.summary import write_summary
from rtdecode.report.twin_check import computed_twin_check
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import (
    MissingOptionError,
    OptionWithPolicyError,
    ReplayOptionError,
    RtdecodeError,
)
from rtdecode.session.injected_faults import InjectedFaults
from rtdecode.session.layout import (
    SessionLayout,
    named_session,
    new_session,
    session_with_config,
)

app = typer.Typer()
_TIER = "test"


@app.command(epilog="Example: rtdecode replay sessions/2026-11-24_10-15-00 --drop 1% --jitter 20ms")
def replay(
    recorded: Recorded,
    *,
    speed: Speed = None,
    out: Out = None,
    policy: PolicyFile = None,
    twin: Twin = None,
    tier: Tier = None,
    trials: Trials = None,
    mask: Mask = None,
    source: Source = None,
    configs: Configs = None,
    json_file: Json = None,
    drop: Drop = "0%",
    jitter: Jitter = "0ms",
    seed: Seed = 0,
) -> None:
    """Decode a recorded session, or the trials of a data set, again as if it were live.

    The result is a new session; what was recorded stays as it is.

    A data set needs its twin: `rtdecode replay mouse.nwb --twin twin --tier test`; with `--speed 1`
    all processes of a run replay it, with the live page.

    With --config, compare settings in one table, and write no session unless --out names a folder:
    `rtdecode replay SESSION --config lag4.yaml --config lag12.yaml`.

    With --policy, list instead what a policy would have done, or did, in SESSION:
    `rtdecode replay SESSION --policy policy.py`.
    """
    console = Console()
    numbers = None if trials is None else trial_numbers(trials)
    options = DataOptions(twin, tier, numbers, mask, source)
    asked = ReplayOptions(speed, out, json_file, percent(drop), milliseconds(jitter), seed)
    with errors_reported():
        if policy is not None:
            _replay_policy(recorded, policy, console, given=(speed, out))
            return
        is_data = _is_data(recorded, options)
        if configs:
            # needs torch
            from rtdecode.commands.what_if import compare

            data = _data_config(recorded, options, asked) if is_data else None
            compare(recorded, configs, asked, data=data, console=console)
        elif is_data:
            _replay_data(_data_config(recorded, options, asked), asked, console)
        else:
            _replay_session(recorded, asked, console)


def _is_data(recorded: Path, options: DataOptions) -> bool:
    """Whether `recorded` is a data set; ReplayOptionError for an option that it does not have."""
    from rtdecode.datasets.nwb_session import is_nwb
    from rtdecode.datasets.own_session import is_own_session

    if is_own_session(recorded):
        for option in options.given():
            instead = "give a data set, or other settings of the session with --config"
            raise ReplayOptionError(option=option, replayed=recorded, instead=instead)
        return False
    if is_nwb(recorded) or (recorded / "meta" / "trials").is_dir():
        if options.twin is None:
            raise MissingOptionError(option="--twin", needed_for="a replay of a data set")
        return True
    return options.twin is not None


def _replay_session(recorded: Path, asked: ReplayOptions, console: Console) -> None:
    # torch takes seconds to import, and no refusal of a session needs it
    from rtdecode.pipeline.replay import replay_session

    session, faults = session_with_config(recorded), asked.faults()
    with _new_session(asked.out, session.folder.resolve().parent, console) as into:
        with ReplayProgress(console, speed=asked.speed, faults=faults) as progress:
            compared = replay_session(session, into, conduct=progress.conduct)
    _print_end(into, progress, faults, console, json_file=asked.json_file)
    for sentence in compared.sentences():
        print_plain(console, sentence)


def _data_config(data: Path, options: DataOptions, asked: ReplayOptions) -> RunConfig:
    """The config of a run that replays the trials of a data set."""
    from rtdecode.pipeline.trial_replay import TrialRequest, trial_config

    request = TrialRequest(
        data,
        options.twin or Path(),
        tier=options.tier or _TIER,
        trials=options.trials,
        mask=options.mask,
        source=(options.source or InputName.RESPONSES).value,
        speed=asked.speed or 1.0,
    )
    return trial_config(request)


def _replay_data(config: RunConfig, asked: ReplayOptions, console: Console) -> None:
    from rtdecode.pipeline.preflight import checked
    from rtdecode.pipeline.trial_replay import replay_trials, trial_source

    faults = asked.faults()
    if asked.speed is not None:
        if faults.is_active:
            instead = "leave out --speed: faults are injected into a replay as fast as possible"
            data = trial_source(config).path
            raise ReplayOptionError(option="--drop or --jitter", replayed=data, instead=instead)
        recorded = record_session(config, out=asked.out, console=console, json_file=asked.json_file)
        finish(config, recorded.summary, asked.json_file, stopped=recorded.stopped)
        recorded.require_all()
        return
    config = checked(config, folder=asked.out)
    with _new_session(asked.out, config.record.folder, console) as into:
        with ReplayProgress(console, speed=None, faults=faults) as progress:
            replay_trials(config, into, conduct=progress.conduct)
    _print_end(into, progress, faults, console, json_file=asked.json_file)


@contextmanager
def _new_session(out: Path | None, parent: Path, console: Console) -> Iterator[SessionLayout]:
    """The folder of the new session, removed again where the replay is refused."""
    existed = out is not None and out.exists()
    if out is None:
        into = new_session(parent, started=datetime.now().astimezone())
    else:
        into = named_session(out)
    print_plain(console, f"replaying into {into.folder}")
    try:
        yield into
    except RtdecodeError as refusal:
        if not existed:
            remove_refused(into, refusal)
        raise


def _print_end(
    into: SessionLayout,
    progress: ReplayProgress,
    faults: InjectedFaults,
    console: Console,
    *,
    json_file: Path | None,
) -> None:
    """Summarise the new session; state what was injected, and where a replay was stopped."""
    if progress.stopped:
        print_plain(console, f"{progress.stopped} in {into.folder}")
    summary = summarise_and_report(into, console, twin_check=computed_twin_check(into))
    if json_file is not None:
        write_summary(summary, json_file)
    for sentence in faults.sentences():
        print_plain(console, sentence)
    print_plain(console, f"session: {into.folder}")


def _replay_policy(
    session: Path, file: Path, console: Console, *, given: tuple[float | None, Path | None]
) -> None:
    """Print the decisions of the policy in `file` over the recorded session, and a summary."""
    from rtdecode.pipeline.policy_replay import read_policy, replay_policy

    for option, value in zip(("--speed", "--out"), given, strict=True):
        if value is not None:
            raise OptionWithPolicyError(option=option)
    replayed = replay_policy(session_with_config(session), read_policy(file))
    head = ("time, s", "action", "outcome", "cause", "reason")
    for line in in_columns([head, *replayed.rows()]):
        print_plain(console, line)
    for sentence in replayed.sentences():
        print_plain(console, sentence)
