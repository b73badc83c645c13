"""A step by torch, as an accelerator computes it, is that of the host, and never waits for results.

No accelerator is needed: torch's kernels run on the CPU, and tensors of the meta device, which have
no values, show that a step reads none back and makes none on another device.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_twins import linear
from torch.utils._python_dispatch import TorchDispatchMode

from rtdecode.decode import compute
from rtdecode.decode.compute import (
    CPU,
    Kernels,
    StagedUpload,
    cuda_mistake,
    device_name,
    kernels_of,
    on_host,
    upload_to,
    usable_device,
)
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import Noise, even_noise
from rtdecode.decode.prior import VideoPrior
from rtdecode.decode.solver import Estimate, ObservedFrames, Solver
from rtdecode.decode.work_control import Estimation, WorkControl
from rtdecode.schema.config.decode import DecodeConfig, Device
from rtdecode.schema.errors import DeviceUnavailableError
from rtdecode.schema.messages import Reconstruction, WindowFrame
from rtdecode.session.replay import RecordedClock
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.dwiseneuro.network import DwiseNeuro
from rtdecode.twins.folder import AnyTwin
from rtdecode.twins.still import Still
from rtdecode.twins.twin import TwinSpec, device_of

MakeFrame = Callable[..., WindowFrame]
META = torch.device("meta")
NEURONS, ROWS, COLS = 7, 8, 8
CONFIG = DecodeConfig(window_frames=12, estimated_frames=7, lag_frames=3, steps=3, deadline_ms=1e9)
DWISENEURO = {
    "expansion": 2, "squeeze": 4, "space_px": 3, "taps": 3, "groups": 2, "hop_frames": 8,
    "core_0": 4, "core_1": 8, "cortex_0": 8,
}  # fmt: skip


def screen_prior(prior: VideoPrior) -> VideoPrior:
    return replace(prior, mean=torch.full((ROWS, COLS), 110.0))


def some_noise() -> Noise:
    generator = torch.Generator().manual_seed(3)
    shared = 0.4 * torch.randn(NEURONS, 2, generator=generator)
    return Noise(torch.linspace(0.5, 2, NEURONS), torch.tensor(0.4), shared)


def compact() -> Compact:
    sizes = {"hidden": 6, "features": 4, "filter_px": 5}
    spec = TwinSpec("compact", NEURONS, ROWS, COLS, sizes=sizes)
    generator = torch.Generator().manual_seed(1)
    twin = Compact(spec, generator=generator)
    with torch.no_grad():
        twin.position.uniform_(-1, 1, generator=generator)
        twin.weights.mul_(4)
    return twin.requires_grad_(requires_grad=False)


def small(kind: str) -> AnyTwin:
    made: dict[str, Callable[[], AnyTwin]] = {
        "compact": compact,
        "linear": lambda: linear(NEURONS),
        "still": lambda: Still(
            TwinSpec("still", NEURONS, 12, 12, sizes={"channels": 4, "layers": 2, "first_px": 5})
        ),
        "dwiseneuro": lambda: DwiseNeuro(
            TwinSpec("dwiseneuro", NEURONS, ROWS, COLS, sizes=DWISENEURO)
        ),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return made[kind]().requires_grad_(requires_grad=False).eval()


def decoded(
    twin: Compact, prior: VideoPrior, frames: list[WindowFrame], kernels: Kernels
) -> list[Reconstruction]:
    # a horizon that has all frames which the twin's filters reach back to
    config = CONFIG.model_copy(update={"window_frames": 36})
    decoder = Decoder(
        config, twin, prior, noise=some_noise(), clock=RecordedClock(), kernels=kernels
    )
    return [out for frame in frames for out in decoder.step([frame])]


def test_a_decoder_by_torch_gives_the_video_of_the_compiled_loops(
    prior: VideoPrior, make_frame: MakeFrame
) -> None:
    rng, screen = np.random.default_rng(0), screen_prior(prior)
    frames = [
        make_frame(
            number,
            rng.exponential(2, NEURONS),
            valid=rng.random(NEURONS) > 0.2,
            behaviour=rng.normal(size=4).astype(np.float32),
        )
        for number in range(60)
        if number not in {17, 18, 45}
    ]
    host, torch_ = (decoded(compact(), screen, frames, one) for one in Kernels)
    assert [one.frame for one in host] == [one.frame for one in torch_]
    assert len(host) > 50
    for one, other in zip(host, torch_, strict=True):
        np.testing.assert_allclose(one.luminance, other.luminance, atol=0.05)
        assert one.neurons_left_out == other.neurons_left_out
        assert one.objective == pytest.approx(other.objective, rel=1e-3)
    assert np.ptp([one.luminance for one in host], axis=0).max() > 5


@pytest.mark.parametrize("kind", ["compact", "linear", "still", "dwiseneuro"])
def test_a_step_makes_all_its_tensors_on_the_device_and_reads_none_back(
    prior: VideoPrior, kind: str
) -> None:
    """A tensor without values raises where one is read, and where it meets one of the host."""
    twin = small(kind)
    size = twin.spec.rows_px, twin.spec.cols_px
    screen = replace(prior, mean=torch.full(size, 110.0)).to(META)
    noise = some_noise().to(META)
    solver = Solver(
        twin.to(META), screen, noise, window_frames=10, estimated_frames=6, others=[(twin, noise)]
    )
    assert device_of(twin) == META
    recorded = torch.empty(6, NEURONS, device=META)
    for _ in range(2):
        observed = solver.observed(recorded, recorded, torch.empty(10, 4, device=META))
        solver.improve(observed)
        solver.improve(observed)
        solver.advance(1)
    assert solver._objective.device == META


class Watched(TorchDispatchMode):
    """Names of the operations that are computed while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = set[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        self.seen.add(str(func).removeprefix("aten.").partition(".")[0])
        return func(*args, **(kwargs or {}))


WAITING = {"_local_scalar_dense", "lift_fresh", "nonzero", "equal", "is_nonzero", "_unique2"}
"""Operations that copy between host and device, or whose shapes depend on values."""


@pytest.mark.parametrize("kind", ["compact", "linear", "dwiseneuro"])
def test_a_step_after_the_first_copies_nothing_between_host_and_device(
    prior: VideoPrior, kind: str
) -> None:
    twin = small(kind)
    screen = replace(prior, mean=torch.full((twin.spec.rows_px, twin.spec.cols_px), 110.0))
    solver = Solver(
        twin, screen, some_noise(), window_frames=10, estimated_frames=6, kernels=Kernels.TORCH
    )
    given_ = torch.ones(6, NEURONS), torch.ones(6, NEURONS), torch.zeros(10, 4)
    solver.improve(solver.observed(*given_))
    solver.advance(1)
    with Watched() as watched:
        solver.improve(solver.observed(*given_))
    assert len(watched.seen) > 10
    assert watched.seen & WAITING == set()
    with Watched() as watched:
        torch.tensor([1.0])
        float(torch.ones(1))
    assert watched.seen >= {"lift_fresh", "_local_scalar_dense"}


def test_a_dwiseneuro_twin_decodes_frame_by_frame(prior: VideoPrior, make_frame: MakeFrame) -> None:
    """With random weights the video hardly departs from the prior's, but by what was recorded."""
    twin = small("dwiseneuro")
    config = DecodeConfig(window_frames=32, lag_frames=8, steps=2)

    def videos(scale: float) -> np.ndarray:
        noise, clock = even_noise(NEURONS), RecordedClock()
        decoder = Decoder(config, twin, screen_prior(prior), noise=noise, clock=clock)
        rng = np.random.default_rng(1)
        frames = [make_frame(n, rng.exponential(scale, NEURONS)) for n in range(14)]
        found = [out for frame in frames for out in decoder.step([frame])]
        assert [one.frame for one in found] == list(range(6))
        return np.stack([one.luminance for one in found])

    weak, strong = videos(10), videos(40)
    assert np.isfinite(strong).all()
    assert not np.array_equal(weak, strong)
    np.testing.assert_array_equal(strong, videos(40))


class Accelerator:
    """Clock and solver of a device that begins steps at once and ends them when it is asked."""

    def __init__(self, like: Solver, *, step_ms: int) -> None:
        self._like, self._step_ms, self._begun, self._now_ms = like, step_ms, 0, 0

    def now_ns(self) -> int:
        return self._now_ms * 1_000_000

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the decoder never sleeps")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._like, name)

    def improve(self, observed: ObservedFrames) -> None:
        self._begun += 1
        self._like.improve(observed)

    def estimate(self, *, back: int, ahead: int) -> Estimate:
        self._now_ms, self._begun = self._now_ms + self._begun * self._step_ms, 0
        return self._like.estimate(back=back, ahead=ahead)


class Costs(WorkControl):
    """A work control that changes nothing and keeps each estimation."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps=steps, room=3, period_ns=33_000_000, deadline_ns=30_000_000)
        self.estimations = list[Estimation]()

    def add(self, one: Estimation) -> None:
        self.estimations.append(one)


def test_steps_that_are_not_waited_for_count_with_their_time_until_the_result(
    prior: VideoPrior, make_frame: MakeFrame
) -> None:
    """Three steps of 12 ms do not fit into 30 ms, two of them do."""
    work = Costs(steps=3)
    config = CONFIG.model_copy(update={"deadline_ms": 30.0})
    noise, clock = even_noise(NEURONS), RecordedClock()
    decoder = Decoder(config, linear(NEURONS), prior, noise=noise, clock=clock, work_control=work)
    device = Accelerator(decoder._solver, step_ms=12)
    decoder._solver, decoder._clock = device, device  # type: ignore[assignment]
    decoder._is_asynchronous = True
    for number in range(20):
        decoder.step([make_frame(number, np.zeros(NEURONS))])
    assert {one.steps for one in work.estimations} == {2}
    assert {one.steps_ns for one in work.estimations} == {24_000_000}
    assert all(one.is_cut for one in work.estimations)


def test_what_was_left_out_is_that_of_the_steps_and_nothing_before_them(
    prior: VideoPrior,
) -> None:
    solver = Solver(
        linear(NEURONS), prior, even_noise(NEURONS), window_frames=8, estimated_frames=5
    )
    before = solver.estimate(back=2)
    assert not before.rejected.neurons.any()
    assert not before.rejected.frames.any()
    recorded = torch.full((5, NEURONS), 12.0)
    recorded[2] = 1e5
    recorded[:, 3] = 1e6
    for _ in range(3):
        solver.improve(solver.observed(recorded, torch.ones(5, NEURONS), torch.zeros(8, 4)))
    found = solver.estimate(back=2)
    assert np.flatnonzero(found.rejected.neurons).tolist() == [3]
    assert np.flatnonzero(found.rejected.frames).tolist() == [2]
    video, objective = solver.result(back=2)
    np.testing.assert_array_equal(video, found.video)
    assert objective == found.objective


def test_the_host_computes_by_loops_and_anything_else_by_torch() -> None:
    assert kernels_of(CPU) is Kernels.LOOPS
    assert kernels_of(META) is Kernels.TORCH


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4))
def test_results_reach_the_host_as_they_were(shapes: list[list[int]]) -> None:
    values = [torch.randn(shape) for shape in shapes]
    for value, found in zip(values, on_host(*values), strict=True):
        np.testing.assert_array_equal(found, value.numpy())


def test_uploads_of_a_name_share_their_memory_and_no_values() -> None:
    made = list[torch.Tensor]()

    def memory(like: torch.Tensor) -> torch.Tensor:
        made.append(torch.empty_like(like))
        return made[-1]

    upload, arrays = StagedUpload(CPU, memory=memory), np.eye(3, dtype=np.float32)
    uploaded = [upload("recorded", row) for row in arrays]
    np.testing.assert_array_equal(torch.stack(uploaded), arrays)
    assert len(made) == 1
    upload("behaviour", arrays[0])
    upload("recorded", arrays[0, :2])
    assert len(made) == 3
    np.testing.assert_array_equal(upload_to(CPU)("recorded", arrays[1]), arrays[1])


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usable_device(Device.AUTO) == usable_device(Device.CPU) == CPU
    assert device_name(CPU) == "CPU"
    with pytest.raises(DeviceUnavailableError, match=r"finds no GPU: set decode\.device"):
        usable_device(Device.CUDA)


def test_a_gpu_on_which_nothing_can_be_computed_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_sizes: int, device: str) -> torch.Tensor:
        raise RuntimeError(f"{device} error: out of memory\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", refused)
    assert cuda_mistake() == "a sum on the GPU failed (cuda error: out of memory)"
    assert usable_device(Device.AUTO) == CPU


def test_of_several_gpus_each_process_of_torchrun_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compute, "cuda_mistake", lambda: "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert usable_device(Device.AUTO) == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert usable_device(Device.CUDA) == torch.device("cuda:1")
    assert usable_device(Device.CPU) == CPU


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_twin_gives_the_video_of_the_host(
    prior: VideoPrior, make_frame: MakeFrame
) -> None:
    rng, screen = np.random.default_rng(0), screen_prior(prior)
    frames = [make_frame(number, rng.exponential(2, NEURONS)) for number in range(30)]
    gpu = usable_device(Device.CUDA)
    host = decoded(compact(), screen, frames, Kernels.LOOPS)
    noise, clock = some_noise().to(gpu), RecordedClock()
    decoder = Decoder(CONFIG, compact().to(gpu), screen.to(gpu), noise=noise, clock=clock)
    found = [out for frame in frames for out in decoder.step([frame])]
    for one, other in zip(host, found, strict=True):
        np.testing.assert_allclose(one.luminance, other.luminance, atol=0.5)
