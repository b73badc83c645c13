"""Threads and memory allocation of a process that trains or inverts a twin, for commands.

This module must not import anything else of rtdecode.
"""

import ctypes
import platform

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30


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
