"""`rtdecode bench decoder`: duration of a frame by neurons, window and steps."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.decode.compute import prepare_process
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.fitted_twin import FittedTwin, load_fitted_twin
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.messages import Responses, WindowFrame
from rtdecode.twins.compact.network import Compact

_NEURON_AXIS = {"position": 0, "weights": 0, "bias": 0, "scale": 0, "behaviour_gain": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """A compact twin whose neurons can be repeated, with its prior and noise model."""

    twin: Compact
    fitted: FittedTwin

    def of(self, neurons: int) -> FittedTwin:
        """The twin with `neurons` neurons: its first ones, or all of them repeatedly.

        Repeated neurons have the same tuning; their cost is that of different ones.
        """
        chosen = torch.arange(neurons, device=self.twin.bias.device) % self.twin.spec.neurons
        twin = with_neurons(self.twin, chosen)
        return FittedTwin(twin, self.fitted.prior, self.fitted.noise.of(chosen))


def load_population(folder: Path, *, device: torch.device | None = None) -> Population:
    """Read the compact twin in `folder` onto `device`, by default the CPU.

    UnreadableFileError if it is of another architecture.
    """
    fitted = load_fitted_twin(folder, device=device)
    if not isinstance(fitted.twin, Compact):
        got = fitted.twin.spec.architecture
        raise UnreadableFileError(what="twin", path=folder, expected="a compact twin", got=got)
    return Population(fitted.twin, fitted)


def with_neurons(twin: Compact, chosen: Tensor) -> Compact:
    """`twin` with the neurons `chosen`, (neuron,) int64, in this order and on the same device."""
    made = Compact(replace(twin.spec, neurons=len(chosen)))
    state = {
        name: value.index_select(_NEURON_AXIS[name], chosen) if name in _NEURON_AXIS else value
        for name, value in twin.state_dict().items()
    }
    made.to(chosen.device).load_state_dict(state)
    return made.requires_grad_(requires_grad=False).eval()


F64 = NDArray[np.float64]
Row = dict[str, Any]

NEURONS = (500, 1000, 2000, 4000, 8000)
WINDOWS = (28, 36, 48)
STEPS = (1, 2, 3, 5, 10)
_BLOCK_FRAMES = 30
_NO_DEADLINE_MS = 1e9
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings of one timed decoder."""

    neurons: int
    window_frames: int
    lag_frames: int
    steps: int


@dataclass(slots=True)
class _Timed:
    """A decoder with its random input, and the durations measured so far."""

    setting: Setting
    decoder: Decoder
    behaviour: NDArray[np.float32]
    rng: np.random.Generator
    frame: int = 0
    wall_ms: tuple[float, ...] = ()
    cpu_ms: tuple[float, ...] = ()

    def run(self, frames: int) -> None:
        """Decode `frames` more frames."""
        for item in [self._item() for _ in range(frames)]:
            wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
            self.decoder.step([item])
            self.cpu_ms += ((time.process_time_ns() - cpu_ns) / _NS_PER_MS,)
            self.wall_ms += ((time.perf_counter_ns() - wall_ns) / _NS_PER_MS,)

    def reset(self) -> None:
        """Discard the durations of the warm-up."""
        self.wall_ms, self.cpu_ms = (), ()

    def _item(self) -> WindowFrame:
        neurons, self.frame = self.setting.neurons, self.frame + 1
        responses = Responses(
            activity=self.rng.exponential(size=neurons).astype(np.float32),
            valid=np.ones(neurons, np.bool_),
            frame=self.frame,
            t_frame_start_ns=0,
            t_scan_ns=0,
            t_scan_end_ns=0,
            t_received_ns=0,
            t_ready_ns=0,
        )
        return WindowFrame(responses, self.behaviour)


def benchmark_decoder(
    twin: Path,
    asked: Setting,
    *,
    frames: int = 300,
    threads: int = 1,
    grow: bool = True,
    report: Callable[[int, int], None] = lambda _done, _total: None,
    device: torch.device | None = None,
) -> list[Row]:
    """Time the decoder as in a run, frame by frame, on random activity.

    Parameters
    ----------
    twin
        Folder of a compact twin; its neurons are repeated as often as a setting requires.
    asked
        The main setting; its row is the first.
    frames, threads
        Timed frames for each setting, and CPU threads of one step.
    grow
        Whether other numbers of neurons, windows and steps are timed too. All settings alternate
        in blocks of 30 frames, so that other load on the machine affects all equally.
    report
        Called with the blocks done and their total.
    device
        Where the twin computes; by default the CPU.

    Returns
    -------
    For each setting wall-clock time (`ms_...`) and processor time (`cpu_ms_...`, summed over
    threads, little affected by other programs) of a frame, and the median for each step. On a GPU
    the wall-clock time ends with the copy of the frame to the host, and processor time is that of
    the host.
    """
    prepare_process(threads=threads)
    population = load_population(twin, device=device)
    timed = [_timed(population, setting) for setting in _settings(asked, grow=grow)]
    for one in timed:
        one.run(one.setting.window_frames + _BLOCK_FRAMES)
        one.reset()
    blocks = -(-frames // _BLOCK_FRAMES)
    for block in range(blocks):
        for one in timed:
            one.run(_BLOCK_FRAMES)
        report(block + 1, blocks)
    return [_row(one, threads=threads) for one in timed]


def _settings(asked: Setting, *, grow: bool) -> Sequence[Setting]:
    if not grow:
        return [asked]
    others = [
        *(replace(asked, neurons=count) for count in NEURONS),
        *(replace(asked, window_frames=frames) for frames in WINDOWS if frames > asked.lag_frames),
        *(replace(asked, steps=steps) for steps in STEPS),
    ]
    return list(dict.fromkeys([asked, *others]))


def _timed(population: Population, setting: Setting) -> _Timed:
    config = DecodeConfig(
        window_frames=setting.window_frames,
        lag_frames=setting.lag_frames,
        steps=setting.steps,
        deadline_ms=_NO_DEADLINE_MS,
    )
    fitted = population.of(setting.neurons)
    decoder = fitted.decoder(config, clock=HostClock())
    behaviour = np.array(fitted.twin.spec.behaviour_mean, np.float32)
    return _Timed(setting, decoder, behaviour, np.random.default_rng(0))


def _row(one: _Timed, *, threads: int) -> Row:
    wall, cpu = np.array(one.wall_ms), np.array(one.cpu_ms)
    return {
        **asdict(one.setting),
        "threads": threads,
        "ms_p50": float(np.median(wall)),
        "ms_p99": float(np.percentile(wall, 99)),
        "cpu_ms_p50": float(np.median(cpu)),
        "cpu_ms_p99": float(np.percentile(cpu, 99)),
        "ms_a_step": float(np.median(wall)) / one.setting.steps,
    }
