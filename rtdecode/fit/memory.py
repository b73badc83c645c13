"""Threads and memory of a process that trains or reconstructs."""

import ctypes
import platform

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30


def prepare_process(*, threads: int) -> None:
    """Let torch use `threads` threads, and let the allocator keep what it has.

    glibc hands large freed blocks back to the system at once, and every step asks for the same
    blocks again: on two cores that made torch on the CPU up to several times slower.
    """
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
