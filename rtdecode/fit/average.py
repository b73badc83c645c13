"""The exponential moving average of weights: less noisy than the weights of any one step."""

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


class WeightAverage:
    """Average over the last steps of `model`, growing with the number of steps taken.

    At step k the average forgets with min(decay, (k + 1) / (k + 10)), so that the random start
    is soon gone.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self._decay = decay
        self.state: State = copied(model.state_dict())

    def add(self, model: nn.Module, step: int) -> None:
        """Count in the weights after `step`."""
        decay = min(self._decay, (step + 1) / (step + 10))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)


def copied(state: State) -> State:
    """A copy that later steps do not change."""
    return {name: torch.clone(value.detach()) for name, value in state.items()}
