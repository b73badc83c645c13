"""The other machines or processes of one training, as `torchrun` starts them."""

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed


class Machines:
    """All members of a training take the same steps, each on its own crops.

    Data-parallel training: gradients are averaged over all members before each step, so that
    weights that began alike stay alike. Alone where `torchrun` did not start the process.
    """

    def __init__(self) -> None:
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.ranks > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    @property
    def leads(self) -> bool:
        """True on the one member that validates and writes."""
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
        """What the leading member says, on all of them."""
        if self.ranks == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def close(self) -> None:
        """Leave the group."""
        if self.ranks > 1 and distributed.is_initialized():
            distributed.destroy_process_group()
