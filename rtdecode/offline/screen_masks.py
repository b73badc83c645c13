"""Screen masks of a recorded mouse: their fit, and the pixels that are scored or optimised.

Two procedures find the part of the screen that the population represents. Each gives a transparency
alpha (row, col), without unit, from which pixels are scored (alpha >= 1) or optimised by the
published reconstruction (alpha >= 0.5).

*From the posterior* (`posterior_transparency`): pixels whose variance the activity reduces by a
stated fraction, alpha = reduction / fraction. The meaning is the same for every mouse.

*As published* (`published_mask`): the transparency of gradient descent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rtdecode.datasets.stills import StillSession
from rtdecode.datasets.video_session import VALIDATION, Clips, VideoSession
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.decode.noise import NOISE_FILE
from rtdecode.decode.posterior import Presented, variance_reduction
from rtdecode.decode.prior import PRIOR_FILE
from rtdecode.evaluate.screen_mask import read_screen_mask, read_transparency
from rtdecode.offline.published_mask import fit_transparency
from rtdecode.schema.atomic_file import written_atomically
from rtdecode.schema.config.training import MASK_FRACTION
from rtdecode.schema.errors import EmptyMaskError, TooShortError
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.twins.folder import load_twin

F32 = NDArray[np.float32]

SCORED_FROM = 1.0
"""Transparency from which a pixel is scored in the published procedure."""
OPTIMISED_FROM = 0.5
"""Transparency from which the published procedure optimises a pixel."""
MASK_FILE = "mask.npy"
"""Name of the screen mask in the folder of a twin."""
_WINDOWS = 8
_WINDOW_FRAMES = 36
_SPARED = (12, 8)
"""Frames at either end of a window that do not count: a third, as for the posterior beside a twin,
and the default lag of the decoder."""
_SMOOTHED_PX = 1.0
"""SD of the Gaussian that averages the sampling error of the draws."""
_PART = "screen mask"


class MaskMethod(StrEnum):
    """Procedures that find a screen mask."""

    POSTERIOR = "posterior"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """Settings of a screen mask; `steps` and `seed` are of the published procedure alone."""

    method: MaskMethod
    fraction: float = MASK_FRACTION
    steps: int = 1000
    scored_from: float = SCORED_FROM
    seed: int = 0


def default_method(twin: Path) -> MaskMethod:
    """From the posterior where the folder of the twin has its prior and its noise model.

    Imported twins have neither, so that their screen masks are found as published.
    """
    has_both = (twin / PRIOR_FILE).is_file() and (twin / NOISE_FILE).is_file()
    return MaskMethod.POSTERIOR if has_both else MaskMethod.PUBLISHED


def make_mask(
    twin: Path,
    data: Clips,
    out: Path,
    settings: MaskSettings,
    *,
    work: Work = UNSEEN,
    device: torch.device | None = None,
) -> tuple[NDArray[np.bool_], str | None]:
    """Find the screen mask of `data` and write it to `out`, with its transparency.

    The twin computes on `device`, by default the CPU.

    Returns
    -------
    (row, col) True for scored pixels, and None; or, where no pixel would be scored, all pixels of
    the screen and a sentence that says why and what to do.

    Raises
    ------
    MissingFileError, UnreadableFileError, SessionNeuronsError
        If `twin` cannot be read, or is of another number of neurons.
    NoSuchTierError, TooShortError
        If the session has no validation trial, or one that is too short.
    """
    fraction = None
    if settings.method is MaskMethod.POSTERIOR:
        fraction = settings.fraction
        fitted = load_fitted_twin(twin, neurons=data.neurons, session=data.folder, device=device)
        alpha = posterior_transparency(fitted, data, fraction=fraction, work=work)
    else:
        work.begun(_PART)
        alpha = fit_transparency(
            load_twin(twin, device=device),
            data,
            steps=settings.steps,
            seed=settings.seed,
            report=lambda done: work.report(done, settings.steps),
        )
    try:
        return save_mask(alpha, out, scored_from=settings.scored_from, fraction=fraction), None
    except EmptyMaskError as empty:
        everything = np.ones(alpha.shape, np.bool_)
        _write(everything, alpha, out)
        return everything, f"{empty}; until then the mask has all pixels of the screen"


def posterior_transparency(
    fitted: FittedTwin, data: Clips, *, fraction: float = MASK_FRACTION, work: Work = UNSEEN
) -> F32:
    """(row, col) reduction of each pixel's variance by the activity, over `fraction`.

    1 where the variance is reduced by `fraction`: the posterior variance of the pixel is then
    (1 - `fraction`) times that of natural video without activity. Both are means over windows of
    validation trials, in which the twin is linearised at the displayed frames.

    Parameters
    ----------
    fitted, data
        A twin with its prior and noise model, and the session on which it was trained.
    fraction
        Between 0 and 1.
    work
        Receives each window as a round.

    Raises
    ------
    TooShortError
        If a validation trial has fewer than `_WINDOW_FRAMES` frames.
    """
    windows = work.rounds(_PART, _windows(data), total=_WINDOWS)
    reduction = variance_reduction(fitted.twin, fitted.prior, fitted.noise, windows, spared=_SPARED)
    smooth = gaussian_filter(reduction.cpu().numpy(), _SMOOTHED_PX, mode="nearest")
    return np.asarray(smooth / fraction, np.float32)


def _windows(data: Clips) -> Iterator[Presented]:
    """Windows evenly spaced over validation trials and over the time within them."""
    trials = data.trials(VALIDATION)
    chosen = trials[:: max(1, len(trials) // _WINDOWS)]
    for k in range(_WINDOWS):
        number = chosen[k % len(chosen)]
        spare = data.frames(number) - _WINDOW_FRAMES
        if spare < 0:
            raise TooShortError(
                what=f"validation trial {number}",
                frames=data.frames(number),
                needed=_WINDOW_FRAMES,
            )
        cut = data.segment(number, first=spare * k // (_WINDOWS - 1), frames=_WINDOW_FRAMES)
        yield Presented(
            torch.from_numpy(cut.video),
            torch.from_numpy(cut.behaviour),
            torch.from_numpy(cut.measured.any(0).astype(np.float32)),
        )


def save_mask(
    alpha: F32, path: Path, *, scored_from: float = SCORED_FROM, fraction: float | None = None
) -> NDArray[np.bool_]:
    """Write the mask alpha >= `scored_from` to `path`, and alpha to `<stem>_transparency.npy`.

    Parameters
    ----------
    fraction
        That of `posterior_transparency`, for the message; None for a published transparency.

    Returns
    -------
    (row, col) True for scored pixels.

    Raises
    ------
    EmptyMaskError
        If no pixel reaches `scored_from`.
    """
    scored = np.asarray(alpha >= scored_from, np.bool_)
    if not scored.any():
        raise EmptyMaskError(highest=float(alpha.max()), needed=scored_from, fraction=fraction)
    _write(scored, alpha, path)
    return scored


def _write(scored: NDArray[np.bool_], alpha: F32, path: Path) -> None:
    for file, values in ((path, scored), (transparency_file(path), alpha)):
        with written_atomically(file) as unfinished, unfinished.open("wb") as opened:
            np.save(opened, values)


def transparency_file(mask: Path) -> Path:
    """The file of the transparency beside the screen mask `mask`."""
    return mask.with_name(f"{mask.stem}_transparency.npy")


def whole_screen_warning(path: Path | None, twins: Sequence[Path]) -> str | None:
    """A sentence where `scoring_mask` has all pixels of the screen."""
    mask = _mask_file(path, twins)
    if mask is not None and not np.load(mask).all():
        return None
    what = "there is no screen mask" if mask is None else f"screen mask {mask} has all pixels"
    return (
        f"{what}, so the whole screen is scored, also where no neuron has its receptive field: "
        f"`rtdecode fit mask` finds the pixels that the neurons represent"
    )


def _mask_file(path: Path | None, twins: Sequence[Path]) -> Path | None:
    """`path`, else the mask of the first twin where there is one."""
    if path is None and twins and (twins[0] / MASK_FILE).is_file():
        return twins[0] / MASK_FILE
    return path


def scoring_mask(
    data: StillSession | VideoSession, path: Path | None, twins: Sequence[Path]
) -> NDArray[np.bool_]:
    """(row, col) True for scored pixels: `path`, else the mask of the first twin, else all pixels.

    Raises MissingFileError or UnreadableFileError if the mask cannot be read.
    """
    return read_screen_mask(_mask_file(path, twins), shape=(data.rows_px, data.cols_px))


def free_mask(data: VideoSession, path: Path | None, twins: Sequence[Path]) -> NDArray[np.bool_]:
    """(row, col) True for the pixels that the published procedure optimises.

    It optimises pixels with a transparency of at least 0.5 and scores those of at least 1; with a
    mask from the posterior these are the pixels whose variance is reduced by half the fraction.
    Without a transparency beside the mask, and always the scored pixels, are optimised.
    """
    mask = _mask_file(path, twins)
    if mask is not None:
        transparency = transparency_file(mask)
        if transparency.is_file():
            shape = (data.rows_px, data.cols_px)
            optimised = read_transparency(transparency, shape=shape) >= OPTIMISED_FROM
            return np.asarray(optimised | scoring_mask(data, path, twins))
    return scoring_mask(data, path, twins)
