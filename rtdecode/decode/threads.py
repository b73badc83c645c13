"""How many threads one step of the inversion may use."""

import torch


def use_threads(count: int) -> None:
    """Let torch compute with `count` threads in this process, from now on."""
    torch.set_num_threads(count)
