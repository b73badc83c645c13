"""A twin whose inversion has a closed form: activity is a linear function of recent frames."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rtdecode.twins.readout import causal_filters
from rtdecode.twins.twin import TwinSpec


class Linear(nn.Module):
    """f[t, n] = bias[n] + sum over taps and pixels of weights times standardised grey levels.

    Not clipped at 0, so that least squares has an exact answer; made for tests.
    """

    def __init__(self, spec: TwinSpec) -> None:
        super().__init__()
        self.spec = spec
        taps = spec.sizes["taps"]
        self.temporal = nn.Parameter(torch.zeros(1, taps))
        self.spatial = nn.Parameter(torch.zeros(spec.neurons, spec.rows_px, spec.cols_px))
        self.bias = nn.Parameter(torch.zeros(spec.neurons))

    def forward(
        self,
        video: Float[Tensor, "batch frame row col"],
        behaviour: Float[Tensor, "batch frame channel"],
    ) -> Float[Tensor, "batch frame neuron"]:
        """Expected activity; `behaviour` has no influence."""
        scaled = (video - self.spec.luminance_mean) / self.spec.luminance_sd
        frames = video.shape[1]
        every = torch.arange(frames, device=video.device)
        moved = causal_filters(self.temporal, frames_in=frames, wanted=every)[0] @ scaled.flatten(2)
        return moved @ self.spatial.flatten(1).T + self.bias
