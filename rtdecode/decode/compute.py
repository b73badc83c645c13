"""Where decoding and training compute: device, threads, and copies between host and device.

Duties: choose the device that an option asks for, prepare a process for it, and carry the arrays of
a step to the device and its results back without waiting more than once. This module must not
depend on twins or on the solver.

>>> on_host(torch.ones(2), torch.zeros(()))
[array([1., 1.], dtype=float32), array(0., dtype=float32)]
"""

import ctypes
import os
import platform
from collections.abc import Callable
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtdecode.schema.config.decode import Device
from rtdecode.schema.errors import DeviceUnavailableError

F32 = NDArray[np.float32]
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30
CPU = torch.device("cpu")


class Kernels(Enum):
    """What the steps of the decoder are computed by.

    LOOPS: compiled loops and hand-written derivatives, on the host alone. TORCH: operations and
    automatic differentiation of torch, on any device.
    """

    LOOPS = "loops"
    TORCH = "torch"


def kernels_of(device: torch.device) -> Kernels:
    """The faster kernels on `device`: compiled loops on the host, torch elsewhere."""
    return Kernels.LOOPS if device.type == "cpu" else Kernels.TORCH


def usable_device(wanted: Device) -> torch.device:
    """The device that `wanted` stands for on this machine; of several GPUs one.

    That is the one with the number LOCAL_RANK, which torchrun sets for each process, or the first.

    Raises
    ------
    DeviceUnavailableError
        If `wanted` is `Device.CUDA` and torch cannot compute on a GPU.
    """
    mistake = "" if wanted is Device.CPU else cuda_mistake()
    if wanted is Device.CUDA and mistake:
        raise DeviceUnavailableError(got=mistake)
    if wanted is Device.CPU or mistake:
        return CPU
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def cuda_mistake() -> str:
    """Why torch cannot compute on a GPU of this machine; empty where it can.

    A GPU counts only where a sum on it succeeds: one that is listed may lack memory or be too old
    for this build of torch.
    """
    if not torch.cuda.is_available():
        without = torch.version.cuda is None
        build = "a build without CUDA" if without else f"a build for CUDA {torch.version.cuda}"
        return f"torch {torch.__version__} ({build}) finds no GPU"
    try:
        torch.ones(1, device="cuda").add(1).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        return f"a sum on the GPU failed ({reason})"
    return ""


def device_name(device: torch.device) -> str:
    """`device` in words: `CPU`, or the name of the GPU."""
    return "CPU" if device.type == "cpu" else f"GPU {torch.cuda.get_device_name(device)}"


Upload = Callable[[str, F32], Tensor]
"""Gives a host array of one step, with a name of its own, as a tensor on a device."""


def upload_to(device: torch.device) -> Upload:
    """The upload to `device`: the array itself on the host, a copy by pinned memory elsewhere."""
    if device.type == "cpu":
        return lambda _name, array: torch.from_numpy(array)
    return StagedUpload(device, memory=_pinned_like)


class StagedUpload:
    """Copies arrays to a device by way of memory that is kept for each name.

    From pinned memory a GPU copies while the host goes on; a copy from other memory waits for all
    work on the device.

    Parameters
    ----------
    memory
        Makes uninitialised memory on the host like a given tensor.
    """

    def __init__(self, device: torch.device, *, memory: Callable[[Tensor], Tensor]) -> None:
        self._device, self._memory = device, memory
        self._kept: dict[tuple[str, torch.Size], tuple[Tensor, torch.cuda.Event | None]] = {}

    def __call__(self, name: str, array: F32) -> Tensor:
        given = torch.from_numpy(array)
        key = name, given.shape
        if key not in self._kept:
            self._kept[key] = self._memory(given), _event_on(self._device)
        staged, copied = self._kept[key]
        if copied is not None:
            copied.synchronize()  # of the copy of the step before, which is over by now
        staged.copy_(given)
        uploaded = torch.empty_like(staged, device=self._device)
        uploaded.copy_(staged, non_blocking=True)
        if copied is not None:
            copied.record()
        return uploaded


def _event_on(device: torch.device) -> torch.cuda.Event | None:
    """An event that has happened once work on `device` has; None on the host."""
    return torch.cuda.Event() if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def _pinned_like(given: Tensor) -> Tensor:
    return torch.empty_like(given, pin_memory=True)


def on_host(*values: Tensor) -> list[F32]:
    """`values` as float32 arrays, by one copy, so that the device is waited for once."""
    packed = torch.cat([value.detach().float().flatten() for value in values]).cpu().numpy()
    ends = np.cumsum([value.numel() for value in values])[:-1]
    parts = np.split(packed, ends)
    return [part.reshape(value.shape) for part, value in zip(parts, values, strict=True)]


def prepare_process(*, threads: int) -> None:
    """Set the number of threads of torch, and let the allocator keep freed memory.

    By default glibc returns large freed blocks to the system at once, and each solver step
    allocates the same blocks again: training on two cores was up to several times slower, and a
    frame of the live decoder took up to 1,800 page faults.
    """
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
