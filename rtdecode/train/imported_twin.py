"""Prior and noise model of an imported twin, without which nothing can be decoded with it.

An encoder that others have trained comes with its weights alone. What else the decoder needs is
measured on a session of the same neurons, as after a training of our own. The uncertainty is left
out: it takes thousands of passes, which are hours with the networks that are imported.
"""

from pathlib import Path

from rtdecode.datasets.video_session import TRAIN, VALIDATION, VideoSession
from rtdecode.decode.fitted_twin import load_fitted_twin
from rtdecode.decode.noise import save_noise
from rtdecode.decode.prior import fit_prior, save_prior
from rtdecode.schema.errors import SessionNeuronsError, UnreadableFileError
from rtdecode.schema.work import UNSEEN, Work
from rtdecode.train.noise_fit import fit_noise
from rtdecode.train.twin_fit import training_videos, trials_of_tier
from rtdecode.twins.folder import load_twin
from rtdecode.twins.record import state_loaded

_TRIALS = 12
"""Largest number of trials of a tier: a trial of 10 s takes a large network about a minute."""


def measure_imported(
    folder: Path, data: VideoSession, *, named: Path | None = None, work: Work = UNSEEN
) -> None:
    """Estimate prior and noise model of the twin in `folder` on `data`, and write them there.

    Parameters
    ----------
    named
        What messages call the folder, where it is a temporary one.

    Raises
    ------
    SessionNeuronsError, UnreadableFileError
        If the session has another number of neurons or another screen than the twin.
    NoSuchTierError, TooShortError
        If it has no training or validation trials, or none that is long enough.
    """
    twin = load_twin(folder)
    spec, screen, shown = twin.spec, (data.rows_px, data.cols_px), named or folder
    if spec.neurons != data.neurons:
        raise SessionNeuronsError(
            folder=shown,
            trained=spec.neurons,
            session=data.folder,
            recorded=data.neurons,
            remedy="give the session of the neurons that it was trained on as --data, or import "
            "the weights of another mouse of the file (--mouse)",
        )
    if (spec.rows_px, spec.cols_px) != screen:
        expected = f"one of a screen of {screen[0]} x {screen[1]} px, as the session has"
        got = f"{spec.rows_px} x {spec.cols_px} px"
        raise UnreadableFileError(what="twin", path=shown, expected=expected, got=got)
    work.begun("measuring prior and noise")
    save_prior(fit_prior(training_videos(data)), folder)
    held_out, seen = (trials_of_tier(data, tier, most=_TRIALS) for tier in (VALIDATION, TRAIN))
    save_noise(fit_noise(twin, held_out, seen), folder)
    load_fitted_twin(folder)
    state_loaded(folder)
