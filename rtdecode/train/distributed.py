"""Data-parallel training on the machines or processes that `torchrun` starts."""

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed


class Machines:
    """The process group of a training run; a group of one unless `torchrun` started the process.

    Each member computes gradients on its own crops. They are averaged over all members before each
    step, so that identical initial weights stay identical.
    """

    def __init__(self) -> None:
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.ranks > 1 and not distributed.is_initialized():
            # tensors of either device are exchanged, as --device decides where training computes
            has_gpu = torch.cuda.is_available()
            distributed.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo")

    @property
    def leads(self) -> bool:
        """True on the single member that validates and writes files."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over all members, in one exchange."""
        if self.ranks == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        pieces = torch.split(flat / self.ranks, [gradient.numel() for gradient in gradients])
        for gradient, piece in zip(gradients, pieces, strict=True):
            gradient.copy_(piece.view_as(gradient))

    def of_leader(self, value: float, device: torch.device) -> float:
        """The value of the leading member, on all members."""
        if self.ranks == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def close(self) -> None:
        """Leave the process group."""
        if self.ranks > 1 and distributed.is_initialized():
            distributed.destroy_process_group()
