"""A twin with its prior, noise model and uncertainty, for decoder, offline methods, benchmarks.

Duties: read the folders that `rtdecode fit twin` wrote, check that their parts fit each other, and
construct decoders and solvers from them. This module must not train anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import Noise, load_noise
from rtdecode.decode.posterior import load_posterior_sd
from rtdecode.decode.prior import VideoPrior, load_prior, spectral_shrinkage
from rtdecode.decode.solver import Solver
from rtdecode.decode.work_control import WorkControl
from rtdecode.schema.config.decode import DecodeConfig, RoisCheck
from rtdecode.schema.errors import NeuronCountError, SessionNeuronsError, UnreadableFileError
from rtdecode.schema.interfaces import Clock
from rtdecode.twins.folder import load_twin, sizes_in
from rtdecode.twins.record import require_common, require_distinct
from rtdecode.twins.twin import Twin

_NO_DEADLINE_MS = 1e9


class _StillClock:
    """A clock that stands still, so that no estimation takes time."""

    def now_ns(self) -> int:
        return 0

    def sleep_until(self, t_ns: int) -> None:
        del t_ns


@dataclass(frozen=True, slots=True)
class FittedTwin:
    """A twin, the prior of natural video, and the noise model of its neurons."""

    twin: Twin
    prior: VideoPrior
    noise: Noise
    sd: Float[Tensor, "back row col"] | None = None
    """Posterior standard deviation of a pixel in grey levels, by frames behind the newest."""
    others: tuple["FittedTwin", ...] = ()
    """Further twins of the same neurons, with which the likelihood is averaged. Prior and
    uncertainty are those of the first."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.prior.mean.device

    @property
    def members(self) -> int:
        """Number of twins."""
        return 1 + len(self.others)

    def decoder(
        self, config: DecodeConfig, *, clock: Clock, work_control: WorkControl | None = None
    ) -> Decoder:
        """A fixed-lag decoder for a stream of responses, with a state of its own."""
        return Decoder(
            config,
            self.twin,
            self.prior,
            noise=self.noise,
            sd=self.sd,
            clock=clock,
            work_control=work_control,
            others=self._other_models(),
        )

    def unhurried_decoder(self, config: DecodeConfig) -> Decoder:
        """A decoder that takes all steps of each frame, however long they last.

        Its frames depend on responses and settings alone, not on the speed of the machine.
        """
        without_deadline = config.model_copy(update={"deadline_ms": _NO_DEADLINE_MS})
        return self.decoder(without_deadline, clock=_StillClock())

    def solver(
        self, *, window_frames: int, estimated_frames: int, likelihood_weight: float | None = None
    ) -> Solver:
        """The MAP solver of a horizon, with the spectral shrinkage that the decoder applies."""
        return Solver(
            self.twin,
            self.prior,
            self.noise,
            window_frames=window_frames,
            estimated_frames=estimated_frames,
            likelihood_weight=likelihood_weight,
            shrinkage=spectral_shrinkage(self.prior),
            others=self._other_models(),
        )

    def _other_models(self) -> list[tuple[Twin, Noise]]:
        return [(one.twin, one.noise) for one in self.others]


def load_fitted_twin(
    folder: Path,
    *,
    neurons: int | None = None,
    session: Path | None = None,
    device: torch.device | None = None,
) -> FittedTwin:
    """Read the twin in `folder` with its prior, its noise model and its pixel uncertainty.

    Parameters
    ----------
    neurons, session
        Number of neurons whose activity is decoded; None while it is unknown. They are those of a
        recorded session, or, without one, of the ROIs of a run.
    device
        Where it will compute; by default the CPU.

    Raises
    ------
    SessionNeuronsError, NeuronCountError
        If the twin was trained on another number of neurons than the session or the run has.
    MissingFileError, UnreadableFileError
        If a file of the folder is missing or damaged.
    """
    twin = load_twin(folder, device=device)
    spec = twin.spec
    if neurons is not None and neurons != spec.neurons:
        if session is not None:
            raise SessionNeuronsError(
                folder=folder, trained=spec.neurons, session=session, recorded=neurons
            )
        raise NeuronCountError(streamed=neurons, trained=spec.neurons, twin=str(folder))
    fitted = FittedTwin(
        twin,
        load_prior(folder, device=device),
        load_noise(folder, neurons=spec.neurons, device=device),
        load_posterior_sd(folder, shape=(spec.rows_px, spec.cols_px)),
    )
    if mistake := next(_misfits(fitted), None):
        raise UnreadableFileError(
            what="prior and noise of the twin",
            path=folder,
            expected=f"those of a {spec.rows_px} x {spec.cols_px} px screen and its neurons",
            got=mistake,
        )
    return fitted


def load_ensemble(
    folders: Sequence[Path],
    *,
    neurons: int | None = None,
    device: torch.device | None = None,
    rois_check: RoisCheck = RoisCheck.CONTENT,
) -> FittedTwin:
    """The first twin of `folders`, with the others beside it; see `FittedTwin.others`.

    Raises
    ------
    TwinRepeatedError
        If two of `folders` are the same one.
    TwinsDifferError
        If the twins differ in neurons, screen, frame rate or, by `rois_check`, in their ROIs.
    NeuronCountError, MissingFileError, UnreadableFileError
        As `load_fitted_twin`, for any of the twins.
    """
    require_distinct(folders)
    first, *others = (load_fitted_twin(one, neurons=neurons, device=device) for one in folders)
    for folder, other in zip(folders[1:], others, strict=True):
        pair = (folders[0], sizes_in(first.twin.spec)), (folder, sizes_in(other.twin.spec))
        require_common(*pair, by=rois_check)
    return replace(first, others=tuple(others))


def _misfits(fitted: FittedTwin) -> Iterator[str]:
    """Describe each shape or value of prior and noise that does not fit the twin or the others."""
    spec, prior, noise = fitted.twin.spec, fitted.prior, fitted.noise
    screen, kept = (spec.rows_px, spec.cols_px), tuple(prior.power.shape)
    if prior.mean.shape != screen:
        yield f"a prior whose mean frame has the shape {tuple(prior.mean.shape)}"
    if len(kept) != len(screen) or any(n > most for n, most in zip(kept, screen, strict=True)):
        yield f"a prior with {kept} spatial frequencies"
    if prior.autoregression.shape[1:] != kept or prior.innovation_sd.shape != kept:
        yield "a prior whose arrays differ in their spatial frequencies"
    if noise.shared.ndim != len(("neuron", "factor")) or noise.likelihood_weight.ndim:
        yield "noise whose arrays have other dimensions"
    if not (noise.dispersion > 0).all():
        yield "a dispersion that is not above 0"
