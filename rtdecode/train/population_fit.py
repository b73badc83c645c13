"""`rtdecode fit twin --population`: train twins of several mice with a shared core.

Mice differ in their neurons, cortex areas differ less: the filters of all twins are the same
parameters, trained on the clips of all sessions, and each mouse has its own readout and response
kernel (a shared core, Lurz et al. 2021, "Generalization in data-driven models of primary visual
cortex"). Each folder that is written is a twin like any other, and a core for further mice.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rtdecode.datasets.joined_sessions import require_common_format, unique_names
from rtdecode.datasets.video_session import VALIDATION, VideoSession
from rtdecode.schema.config.training import TrainingConfig
from rtdecode.schema.interfaces import Clock
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.train.checkpoint import FILE
from rtdecode.train.distributed import Machines
from rtdecode.train.starting_point import share_core
from rtdecode.train.training import Outcome, Progress, Training
from rtdecode.train.twin_fit import TimeLimit, measure, untrained_compact, write_twin
from rtdecode.train.validation import F64
from rtdecode.twins.compact.network import Compact


def fit_population(
    sessions: Sequence[VideoSession],
    out: Path,
    config: TrainingConfig,
    *,
    clock: Clock,
    report: Callable[[Progress], None],
    work: Work = UNSEEN,
    device: torch.device | None = None,
) -> dict[Path, Outcome]:
    """Train a twin of each session, all with one core, and write each to `out`/NAME.

    Parameters
    ----------
    sessions, out
        Sessions of different mice; the folder of each twin in `out` has its session's name.
    config, clock, report, work, device
        As for `fit_compact`. `steps` are those of each twin, so that the core is trained in the
        steps of all; the time limit is that of all twins together.

    Returns
    -------
    The result for each folder that was written, in the order of `sessions`.

    Raises
    ------
    SessionsDifferError
        If sessions differ in screen, frame rate or causality, or one is given twice.
    NoSuchTierError, TooShortError, DivergedError, CheckpointError
        As `fit_compact`, for any of the sessions.
    """
    machines, limit = Machines(), TimeLimit(config.max_minutes, clock)
    work.begun("reading the sessions")
    names = unique_names([session.folder for session in sessions])
    twins = [twin.to(device) for twin in _fresh_twins(sessions, config, names=names)]
    out.mkdir(parents=True, exist_ok=True)
    counts = {name: getattr(config, name) * len(sessions) for name in ("steps", "validate_every")}
    training = Training(
        twins[0],
        sessions[0],
        config.model_copy(update=counts),
        checkpoint=out / FILE,
        clock=clock,
        machines=machines,
        limit_s=limit.of_training_s(),
        others=list(zip(twins[1:], sessions[1:], strict=True)),
    )
    work.begun("training")
    outcome, written = training.run(report), dict[Path, Outcome]()
    if machines.leads:
        limited = replace(work, is_over=limit.ends_after(outcome.standing.elapsed_s))
        of_each = _split(outcome.single_trial_r, sessions)
        for twin, data, name, r in zip(twins, sessions, names, of_each, strict=True):
            measure(twin.cpu().requires_grad_(False), data, out / name, limited)
            own = replace(outcome, single_trial_r=r)
            written[out / name] = write_twin(twin, own, data, out / name, config)
        training.discard_checkpoint()
    machines.close()
    return written


def _split(values: F64, sessions: Sequence[VideoSession]) -> list[F64]:
    """The values of each session's neurons."""
    ends = np.cumsum([session.neurons for session in sessions])[:-1]
    return list(np.split(values, ends))


def _fresh_twins(
    sessions: Sequence[VideoSession], config: TrainingConfig, *, names: Sequence[str]
) -> list[Compact]:
    """Untrained twins with one core, each with receptive fields in place."""
    for other in sessions[1:]:
        require_common_format(sessions[0], other)
    for session in sessions:
        session.trials(VALIDATION)  # NoSuchTierError before the first session is read
    twins = [untrained_compact(session, config) for session in sessions]
    share_core(twins)
    for twin in twins:
        twin.spec.provenance["core"] = f"shared by {', '.join(names)}"
    return twins
