"""Several twins are inverted together by the mean of their likelihoods, and fewer if need be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from linear_twin import write_linear_twin
from small_twins import linear
from torch.testing import assert_close

from rtdecode.decode.compute import Kernels
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.fitted_twin import FittedTwin, load_ensemble, load_fitted_twin
from rtdecode.decode.horizon import EstimatedFrames
from rtdecode.decode.noise import Noise, even_noise
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import ObservedFrames, Solver
from rtdecode.decode.twin_likelihood import TwinLikelihood
from rtdecode.decode.work_control import Estimation, WorkControl
from rtdecode.decode.work_levels import WorkLevel
from rtdecode.schema.config.decode import DecodeConfig, RoisCheck
from rtdecode.schema.errors import TwinRepeatedError, TwinsDifferError
from rtdecode.schema.messages import Reconstruction, WindowFrame
from rtdecode.session.replay import RecordedClock
from rtdecode.twins.linear import Linear
from rtdecode.twins.record import TwinSizes, require_common

NEURONS, FRAMES, WINDOW = 7, 5, 8
CONFIG = DecodeConfig(window_frames=12, estimated_frames=6, lag_frames=3, steps=2, deadline_ms=1e9)
MakeFrame = Callable[..., WindowFrame]
Other = list[tuple[Linear, Noise]]


def members() -> Other:
    """Three twins of the same neurons that have learned different filters, each with its noise."""
    return [(linear(NEURONS, seed=seed), even_noise(NEURONS)) for seed in (1, 2, 3)]


def solver_of(prior: VideoPrior, twins: Other, kernels: Kernels | None = None) -> Solver:
    (twin, noise), *others = twins
    return Solver(
        twin, prior, noise,
        window_frames=WINDOW, estimated_frames=FRAMES, others=others, kernels=kernels,
    )  # fmt: skip


def measured() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    recorded = 24 * torch.rand(FRAMES, NEURONS, generator=generator)
    return recorded, torch.ones(FRAMES, NEURONS), torch.zeros(WINDOW, 4)


def first_velocity(solver: Solver, *, count: int | None = None) -> torch.Tensor:
    """Velocity after a step from the prior's mean, where the prior has no gradient."""
    solver.improve(solver.observed(*measured(), members=count))
    return solver._state.velocity


@pytest.mark.parametrize("kernels", list(Kernels))
def test_a_step_follows_the_mean_of_the_gradients_of_all_twins(
    prior: VideoPrior, kernels: Kernels
) -> None:
    alone = [solver_of(prior, [one], kernels) for one in members()]
    gradients = [first_velocity(one) / one._step_sizes[0] for one in alone]
    together = solver_of(prior, members(), kernels)
    found = first_velocity(together) / together._step_sizes[2]
    assert_close(found, torch.stack(gradients).mean(0), rtol=1e-3, atol=1e-4)
    assert (gradients[0] - gradients[1]).abs().max() > 10 * float(found.abs().max()) / 100


@pytest.mark.parametrize("kernels", list(Kernels))
def test_the_likelihood_of_one_twin_has_the_derivative_of_its_score(
    prior: VideoPrior, kernels: Kernels
) -> None:
    (twin, noise), history = members()[0], WINDOW - FRAMES
    block = EstimatedFrames(prior, frames=FRAMES, kernels=kernels)
    one = TwinLikelihood(
        twin, noise, block, history=history, likelihood_weight=None, kernels=kernels
    )
    old = torch.zeros(history, *prior.power.shape)
    seen = one.observed(*measured(), old=old)
    at = 20 * torch.randn(block.u_sd.shape, generator=torch.Generator().manual_seed(0))
    score, back = one.score(at, seen)
    at.requires_grad_()
    (expected,) = torch.autograd.grad(seen.predict(at), at, score.score)
    assert_close(back, expected, rtol=1e-3, atol=1e-5)
    assert one.stride == 1


def test_the_step_is_no_longer_than_the_mean_of_the_curvatures_permits(prior: VideoPrior) -> None:
    alone = [1 / float(solver_of(prior, [one])._step_sizes[0]) for one in members()]
    found = [1 / float(size) for size in solver_of(prior, members())._step_sizes]
    expected = [np.mean(alone[:count]) for count in (1, 2, 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_equal_twins_are_as_one(prior: VideoPrior) -> None:
    one = members()[0]
    single, several = solver_of(prior, [one]), solver_of(prior, [one] * 3)
    for _ in range(4):
        single.improve(single.observed(*measured()))
        several.improve(several.observed(*measured()))
        single.advance(1)
        several.advance(1)
    video, objective = several.result(back=FRAMES)
    np.testing.assert_allclose(video, single.result(back=FRAMES)[0], atol=0.02)
    assert objective == pytest.approx(single.result(back=0)[1], rel=1e-3)


def test_the_mean_of_the_scores_is_lower_at_the_joint_estimate_than_at_those_of_single_twins(
    prior: VideoPrior,
) -> None:
    def estimate(twins: Other) -> torch.Tensor:
        solver = solver_of(prior, twins)
        for _ in range(300):
            solver.improve(solver.observed(*measured()))
        return solver._state.u

    def objective(u: torch.Tensor) -> float:
        solver = solver_of(prior, members())
        solver._state = type(solver._state)(u, torch.zeros_like(u), solver._state.past)
        solver.improve(solver.observed(*measured()))
        return solver.result(back=0)[1]

    joint = objective(estimate(members()))
    assert all(joint < objective(estimate([one])) for one in members())


class Level(WorkControl):
    """A work control whose level the test chooses."""

    def __init__(self, level: WorkLevel) -> None:
        super().__init__(steps=1, room=3, period_ns=33_000_000, deadline_ns=30_000_000)
        self._chosen, self.costs = level, list[Estimation]()

    @property
    def level(self) -> WorkLevel:
        return self._chosen

    def add(self, one: Estimation) -> None:
        self.costs.append(one)


def stream(make_frame: MakeFrame) -> list[WindowFrame]:
    rng = np.random.default_rng(2)
    return [make_frame(number, 12 + 6 * rng.normal(size=NEURONS)) for number in range(60)]


def decoded(
    prior: VideoPrior, twins: Other, frames: list[WindowFrame], levels: list[WorkLevel]
) -> list[Reconstruction]:
    """Reconstructions of a decoder whose level before each frame is the next of `levels`."""
    (twin, noise), *others = twins
    decoder = Decoder(CONFIG, twin, prior, noise=noise, others=others, clock=RecordedClock())
    made = []
    for frame, level in zip(frames, levels, strict=True):
        decoder._level = level
        made += decoder.step([frame])
    return made


def test_twins_that_were_shed_take_part_again_as_if_they_had_been_there(
    prior: VideoPrior, make_frame: MakeFrame
) -> None:
    """While shed, the decoder is that of the others; after a horizon nothing of it is left."""
    frames, whole, less = stream(make_frame), WorkLevel(2, 3), WorkLevel(2, 1)
    first = decoded(prior, members()[:1], frames, [less] * 60)
    shed = decoded(prior, members(), frames, [less] * 60)
    for one, other in zip(first, shed, strict=True):
        np.testing.assert_array_equal(one.luminance, other.luminance)
    always = decoded(prior, members(), frames, [whole] * 60)
    a_while = decoded(prior, members(), frames, [whole] * 10 + [less] * 10 + [whole] * 40)
    apart = [
        float(np.abs(one.luminance - other.luminance).max())
        for one, other in zip(always, a_while, strict=True)
    ]
    assert max(apart[10:20]) > 1
    assert max(apart[-10:]) < 0.2 * max(apart[10:20])


def test_a_decoder_begins_with_all_its_twins(prior: VideoPrior, make_frame: MakeFrame) -> None:
    (twin, noise), *others = members()
    control = Level(WorkLevel(2, 2))
    decoder = Decoder(
        CONFIG, twin, prior, noise=noise, others=others, clock=RecordedClock(), work_control=control
    )
    assert decoder._level.members == 3
    for frame in stream(make_frame)[:15]:
        decoder.step([frame])
    assert decoder._level.members == 2
    assert {one.steps for one in control.costs} == {2}


class CostlyTwins:
    """Clock and solver of a computer on which each twin takes `pass_ms` for a step."""

    def __init__(self, like: Solver, *, pass_ms: float) -> None:
        self._like, self.pass_ms, self.now_ms = like, pass_ms, 0.0

    def now_ns(self) -> int:
        return round(1e6 * self.now_ms)

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the decoder never sleeps")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._like, name)

    def improve(self, observed: ObservedFrames) -> None:
        self.now_ms += self.pass_ms * len(observed.by_twin)
        self._like.improve(observed)


def test_under_overload_twins_are_left_out_before_frames_and_come_back(
    prior: VideoPrior, make_frame: MakeFrame
) -> None:
    """Three twins at 15 ms exceed the 33 ms of a frame, one does not; at 4 ms all fit again."""
    (twin, noise), *others = members()
    config = CONFIG.model_copy(update={"steps": 1, "deadline_ms": 60.0})
    work = WorkControl(
        steps=1, members=3, room=3, period_ns=round(1e9 / 30), deadline_ns=60_000_000
    )
    decoder = Decoder(
        config, twin, prior, noise=noise, others=others, clock=RecordedClock(), work_control=work
    )
    costly = CostlyTwins(decoder._solver, pass_ms=15)
    decoder._solver, decoder._clock = costly, costly  # type: ignore[assignment]
    codes, counts, frames = list[str](), list[int](), stream(make_frame) * 12
    for number, frame in enumerate(frames):
        costly.now_ms = max(costly.now_ms, number * 1000 / 30)
        costly.pass_ms = 15 if number < 200 else 4
        renumbered = replace(frame, responses=replace(frame.responses, frame=number))
        given = decoder.step([renumbered])
        counts += [one.frames_shed for one in given]
        codes += [event.code for event in decoder.events()]
    assert codes[0] == "members_shed"
    assert set(codes[1:]) <= {"members_shed", "work_recovered"}
    assert codes[-1] == "work_recovered"
    assert decoder._level == WorkLevel(1, 3)
    assert sum(counts) == 0


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., Path]:
    def made(name: str, *, neurons: int = 5, screen: tuple[int, int] = (6, 8)) -> Path:
        steps = np.random.default_rng(0).normal(0, 9, (80, *screen))
        folder = tmp_path / name
        return write_linear_twin(folder, neurons=neurons, videos=[128 + np.cumsum(steps, 0)])

    return made


def test_an_ensemble_is_its_first_twin_with_the_others(folders: Callable[..., Path]) -> None:
    a, b = folders("a"), folders("b")
    fitted = load_ensemble([a, b], neurons=5)
    assert isinstance(fitted, FittedTwin)
    assert (fitted.members, fitted.device.type) == (2, "cpu")
    assert load_ensemble([a]).others == ()
    solver = fitted.solver(window_frames=8, estimated_frames=5)
    assert len(solver._step_sizes) == 2
    assert_close(fitted.prior.mean, load_fitted_twin(a).prior.mean)


def test_the_same_folder_by_another_path_is_refused(folders: Callable[..., Path]) -> None:
    a, b = folders("a"), folders("b")
    for other in (a, a.parent / "b" / ".." / "a"):
        with pytest.raises(TwinRepeatedError, match=r"a' and '.*a' are the same folder"):
            load_ensemble([a, b, Path(str(other))])
    link = a.parent / "link"
    try:
        link.symlink_to(a, target_is_directory=True)
    except OSError:
        pytest.skip("this system permits no links")
    with pytest.raises(TwinRepeatedError, match=r"a' and '.*link' are the same folder"):
        load_ensemble([a, link])


def test_twins_of_other_neurons_or_screens_are_refused_with_both_folders(
    folders: Callable[..., Path],
) -> None:
    first = folders("first")
    with pytest.raises(TwinsDifferError, match=r"first' and '.*few' .*: neurons 5 and 4\."):
        load_ensemble([first, folders("few", neurons=4)])
    with pytest.raises(TwinsDifferError, match=r"rows of the screen 6 and 7"):
        load_ensemble([first, folders("tall", screen=(7, 8))])


def test_rois_are_compared_by_content_where_they_are_known_and_the_config_asks_for_it() -> None:
    one, other = (TwinSizes(5, 6, 8, 30.0, rois_hash) for rois_hash in ("f00d", "beef"))
    unknown = TwinSizes(5, 6, 8, 30.0)
    pair = (Path("a"), one), (Path("b"), other)
    with pytest.raises(TwinsDifferError, match="content hash of the ROIs f00d and beef"):
        require_common(*pair, by=RoisCheck.CONTENT)
    require_common(*pair, by=RoisCheck.COUNT)
    require_common(pair[0], (Path("c"), unknown), by=RoisCheck.CONTENT)
