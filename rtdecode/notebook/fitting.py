"""Fits in a notebook, by the code of the commands."""

import warnings

from rtdecode.datasets.opening import open_video_session
from rtdecode.decode.compute import prepare_process
from rtdecode.notebook.opening import Data, Place, folder_of, path_of
from rtdecode.notebook.progress_lines import ProgressLines, Say
from rtdecode.notebook.twin import Twin, load_twin
from rtdecode.offline.ridge import Ridge, ridge_warnings
from rtdecode.offline.ridge import fit_ridge as fitted_ridge
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.platform import usable_cores
from rtdecode.schema.config.training import READOUT_STEPS, STEPS, TrainingConfig
from rtdecode.train.twin_fit import fit_compact


class FitWarning(UserWarning):
    """What a fit should not be relied on for."""


def fit_twin(
    data: Data,
    out: Place,
    *,
    core: Place | Twin | None = None, seed: int = 0, steps: int | None = None,
    max_minutes: float | None = None, threads: int = 0, progress: Say | None = print,
) -> Twin:  # fmt: skip
    """Train a twin on a session and write its folder, as `rtdecode fit twin` does.

    An interrupted training resumes when the call is repeated. What the twin should not be relied on
    for is a `FitWarning`.

    Parameters
    ----------
    data
        Recorded session: a folder of rtdecode or Sensorium, an .nwb file, or an opened session.
    out
        Folder to write.
    core
        Twin whose filters are kept; only a readout is fitted.
    seed, steps, max_minutes
        Seed of all random numbers; gradient steps, by default those of the command; time limit.
    threads, progress
        CPU threads, 0 for all cores; called with lines of text while it computes, None for none.

    Raises
    ------
    NoSuchTierError, TooShortError, TooFewClipsError, UnreadableFileError, DivergedError
        As the command.

    Examples
    --------
    A twin within 20 minutes:

        twin = rtdecode.fit_twin("sessions/2026-11-30_09-00-00", "twin", max_minutes=20)
        twin.single_trial_r.mean()
    """
    prepare_process(threads=threads or usable_cores())
    wanted = steps or (STEPS if core is None else READOUT_STEPS)
    lines = ProgressLines(progress, clock=HostClock())
    outcome = fit_compact(
        open_video_session(folder_of(data)),
        path_of(out),
        TrainingConfig(seed=seed, steps=wanted, max_minutes=max_minutes),
        clock=HostClock(),
        report=lambda now: lines.count(now.step, now.steps, f"loss {now.loss:.4f}"),
        work=lines.work(),
        core=core.folder if isinstance(core, Twin) else None if core is None else path_of(core),
    )
    for sentence in outcome.warnings:
        warnings.warn(sentence, FitWarning, stacklevel=2)
    return load_twin(out)


def fit_ridge(
    data: Data,
    out: Place | None = None,
    *,
    lag_frames: int = 8,
    threads: int = 0,
    progress: Say | None = print,
) -> Ridge:
    """Fit a causal linear decoder at one lag, as `rtdecode fit ridge` does.

    What it should not be relied on for is a `FitWarning`.

    Parameters
    ----------
    data
        Recorded session: a folder of rtdecode or Sensorium, an .nwb file, or an opened session.
    out
        Folder to write, for `reconstruct(..., method="ridge")`; None writes nothing.
    lag_frames
        Frames of activity after the decoded one.
    threads
        CPU threads; 0 uses all cores.
    progress
        Called with lines of text while it computes; None for none.

    Returns
    -------
    Ridge
        The decoder; its `video` decodes (frame, neuron) activity.

    Raises
    ------
    NoSuchTierError, TooFewClipsError, UnreadableFileError
        As the command.

    Examples
    --------
    A linear decoder, and what it decodes:

        linear = rtdecode.fit_ridge("sessions/2026-11-30_09-00-00", lag_frames=8)
        video = linear.video(session.activity.values)
    """
    prepare_process(threads=threads or usable_cores())
    session = open_video_session(folder_of(data))
    tried: list[tuple[float, float]] = []
    fitted = fitted_ridge(
        session,
        lag_frames=lag_frames,
        report=lambda penalty, r: tried.append((penalty, r)),
        work=ProgressLines(progress, clock=HostClock()).work(),
    )
    if out is not None:
        fitted.save(path_of(out))
    for sentence in ridge_warnings(fitted, session, tried):
        warnings.warn(sentence, FitWarning, stacklevel=2)
    return fitted
