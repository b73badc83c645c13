"""A linear encoding model, whose inversion has a closed form: the reference for tests.

>>> import torch
>>> spec = TwinSpec("linear", neurons=1, rows_px=1, cols_px=2, sizes={"taps": 2},
...                 luminance_mean=100.0, luminance_sd=50.0)
>>> twin = Linear(spec).requires_grad_(False)
>>> twin.temporal[:] = torch.tensor([0.0, 2.0])  # the newest tap is last
>>> twin.spatial[:] = torch.tensor([1.0, 0.0])
>>> video = torch.tensor([[100.0, 0.0], [150.0, 0.0]]).reshape(1, 2, 1, 2)
>>> twin(video, torch.zeros(1, 2, 4)).flatten().tolist()  # 2 (150 - 100) / 50 at frame 1
[0.0, 2.0]
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rtdecode.twins.readout import causal_filters
from rtdecode.twins.twin import TwinSpec


class Linear(nn.Module):
    """Activity as a linear function of the latest frames.

    f[t, n] = bias[n] + Σ_pixel spatial[n, pixel] Σ_a temporal[a] (x[t − a, pixel] − m) / σ

    with the age a in frames, and m, σ of the spec's luminance. The prediction is not clipped at 0,
    so that least squares has an exact solution. `spec.sizes` holds `taps`, the number of ages.
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
        """Expected activity at each frame; `behaviour` has no influence."""
        scaled = (video - self.spec.luminance_mean) / self.spec.luminance_sd
        frames = video.shape[1]
        each = torch.arange(frames, device=video.device)
        kernel = causal_filters(self.temporal, frames_in=frames, wanted=each)[0]
        filtered = kernel @ scaled.flatten(2)
        return filtered @ self.spatial.flatten(1).T + self.bias
