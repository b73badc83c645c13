"""The mouse that a study of limits decodes: a recorded session with its twins, and its trials."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rtdecode.bench.quality import hash_of_twin
from rtdecode.bench.result_file import code_version
from rtdecode.datasets.causal_input import CausalInput
from rtdecode.datasets.opening import open_video_session
from rtdecode.datasets.video_session import Traces, VideoSession
from rtdecode.decode.compute import device_name
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.offline.reconstruct import refuse_leaks
from rtdecode.offline.screen_masks import scoring_mask
from rtdecode.offline.trial import Input, Trial, trials_of
from rtdecode.schema.errors import MissingFileError, MissingOptionError

F32 = NDArray[np.float32]
Trials = Sequence[Trial]

SCAN_RATE, INDICATOR = "scan rate", "indicator"
_THINNING = (1, 2, 4)


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """The same displayed clips, recorded in another way; `value` is what differs, with its unit."""

    group: str
    value: float
    name: str
    trials: Callable[[], Trials]
    is_default: bool
    """True for the recording with which the others of its group are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A mouse, the trials that are decoded, and what identifies both in a file of results."""

    twins: Sequence[FittedTwin]
    """All studies use the first; the others make ensembles."""
    mask: NDArray[np.bool_]
    """(row, col) True for scored pixels."""
    trials: Trials
    variants: Sequence[Variant]
    """Recordings at other scan rates or with other indicators, where they exist."""
    identity: dict[str, Any]

    @property
    def fitted(self) -> FittedTwin:
        """The twin of all rows that are not of an ensemble."""
        return self.twins[0]


def recorded_subject(
    data: Path,
    twins: Sequence[Path],
    *,
    mask: Path | None,
    tier: str,
    count: int | None,
    device: torch.device | None = None,
) -> Subject:
    """The first `count` trials of a tier of the session `data`; all of them if None.

    The twins compute on `device`, by default the CPU.

    Raises
    ------
    MissingOptionError
        If there is no twin.
    LeakedClipError
        If a twin was trained on one of the clips.
    """
    if not twins:
        raise MissingOptionError(option="--twin", needed_for="--data")
    session = open_video_session(data)
    fitted = [
        load_fitted_twin(one, neurons=session.neurons, session=data, device=device) for one in twins
    ]
    trials = list(islice(trials_of(session, tier, Input.RESPONSES), count))
    trained = [TrainedClips(one.twin.spec.training_clips) for one in fitted]
    for trial in trials:
        refuse_leaks(trial, trained)
    scored = scoring_mask(session, mask, twins)
    return Subject(
        fitted,
        scored,
        trials,
        _variants(session, trials),
        identity_of(str(data), twins, mask=scored, trials=trials)
        | {"tier": tier, "device": device_name(fitted[0].device)},
    )


def identity_of(
    name: str, twins: Sequence[Path], *, mask: NDArray[np.bool_], trials: Trials
) -> dict[str, Any]:
    """What rows of one file have in common: session, twins, mask and trials by content, code."""
    arrays = (array for one in trials for array in (one.truth, one.responses, one.behaviour))
    return {
        "data": name,
        "twins": [str(folder) for folder in twins],
        "trials": len(trials),
        "neurons": int(trials[0].responses.shape[1]),
        "frame_rate_hz": trials[0].frame_rate_hz,
        "scored_pixels": int(mask.sum()),
        "hash_of_trials": _hash(arrays),
        "hash_of_twins": [hash_of_twin(folder) for folder in twins],
        "hash_of_mask": _hash([mask]),
        "threads": torch.get_num_threads(),
        "code": code_version(),
    }


def _hash(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]


def _variants(session: VideoSession, trials: Trials) -> list[Variant]:
    """Every scan, every second and every fourth; none where the session has no raw traces."""
    try:
        period_s = float(np.median(np.diff(session.traces(trials[0].number).t_s)))
    except MissingFileError:
        return []
    return [
        Variant(
            SCAN_RATE,
            1 / (every * period_s),
            f"{1 / (every * period_s):.3g} Hz",
            lambda every=every: causal_trials(session, trials, every=every),  # type: ignore[misc]
            is_default=every == 1,
        )
        for every in _THINNING
    ]


def causal_trials(session: VideoSession, trials: Trials, *, every: int) -> list[Trial]:
    """`trials` with activity of the online calcium chain, which is given every n-th scan."""
    causal = CausalInput(cast(VideoSession, ThinnedSession(session, every)))
    found = []
    for trial in trials:
        responses, valid = causal.responses(trial.number)
        found.append(replace(trial, responses=responses, valid=valid))
    return found


class ThinnedSession:
    """A session of which every n-th scan was recorded, as by a slower microscope."""

    def __init__(self, session: VideoSession, every: int) -> None:
        self._session, self._every = session, every

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def traces(self, number: int) -> Traces:
        """Raw fluorescence of the scans that are kept."""
        whole, kept = self._session.traces(number), slice(None, None, self._every)
        return Traces(whole.dff[kept], whole.t_s[kept], whole.phase_s)
