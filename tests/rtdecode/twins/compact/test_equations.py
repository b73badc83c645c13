"""The equations of the compact twin's docstring, written out in NumPy, against module and drive.

Each statement carries the number of its equation in `rtdecode.twins.compact`. Loops and `einsum`
in double precision follow the formulas, with no regard to speed.
"""

from typing import Any

import numpy as np
import pytest
import torch

from rtdecode.twins.basis import Basis, cosine_basis
from rtdecode.twins.compact.drive import CompactDrive
from rtdecode.twins.compact.filters import blur_matrix, strided_filters
from rtdecode.twins.compact.network import Compact
from rtdecode.twins.readout import corner_weights
from rtdecode.twins.twin import TwinSpec

NEURONS, FRAMES, HISTORY = 4, 12, 5
SIZES = {"hidden": 6, "features": 3, "filter_px": 5, "taps": 4, "orders": 3} | {
    "streams": 2, "response_taps": 3, "temporal_stride": 2
}  # fmt: skip
Array = np.ndarray[Any, np.dtype[np.float64]]


def tiny_twin(rows_px: int, cols_px: int) -> Compact:
    """All parameters random, so that no term of an equation vanishes."""
    spec = TwinSpec(
        "compact", NEURONS, rows_px, cols_px, sizes=SIZES,
        luminance_mean=110.0, luminance_sd=50.0,
        behaviour_mean=(1.0, 2.0, 3.0, 4.0), behaviour_sd=(1.0, 1.0, 2.0, 2.0),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    twin = Compact(spec, generator=generator)
    for name, parameter in twin.named_parameters():
        if name != "log_contrast_gain":
            parameter.data.normal_(0, 0.4, generator=generator)
    twin.scale.uniform_(0.5, 2, generator=generator)
    return twin.requires_grad_(requires_grad=False)


def elu(v: Array) -> Array:
    return np.where(v > 0, v, np.exp(np.minimum(v, 0)) - 1)


class Equations:
    """Forward equations and vector–Jacobian products for one twin, basis and set of frames."""

    def __init__(self, twin: Compact, basis: Basis, wanted: list[int]) -> None:
        def array(value: torch.Tensor) -> Array:
            return value.double().numpy()

        self.spec, self.wanted, self.stride = twin.spec, wanted, twin.temporal_stride
        self.weights = {name: array(value) for name, value in twin.state_dict().items()}
        self.basis = tuple(array(part) for part in (basis.down, basis.across, basis.mean))
        self.sites, self.hidden = (twin.rows, twin.cols), SIZES["hidden"]
        self.coarse = (twin.rows // 2, twin.cols // 2)
        self.R = array(strided_filters(twin.row_filters, size=twin.spec.rows_px))
        self.C = array(strided_filters(twin.col_filters, size=twin.spec.cols_px))
        self.blur = [array(blur_matrix(side)) for side in self.sites]
        self.M = self.weights["mix"].reshape(3, 2, 3, self.hidden)
        self.gain = np.exp(self.weights["log_contrast_gain"])
        self.corners = [
            [array(part) for part in corner_weights(twin.position, rows=rows, cols=cols)]
            for rows, cols in (self.sites, self.coarse)
        ]
        self.K = np.zeros((2, len(wanted), FRAMES))  # (2)
        for s, kernel in enumerate(self.weights["temporal"]):
            for at, p in enumerate(wanted):
                for tau, weight in enumerate(kernel[::-1]):
                    self.K[s, at, max(p - tau, 0)] += weight

    def frames(self, a: Array) -> Array:
        down, across, mean = self.basis
        return mean + np.einsum("kr,tkl,lc->trc", down, a, across)  # (1)

    def forward(self, a: Array) -> Array:
        """Drive ρ (p, n) from coefficients; intermediate results are kept for `vjp`."""
        down, across, mean = self.basis
        w, sd = self.weights, self.spec.luminance_sd
        q = np.einsum("spt,tkl->pskl", self.K, a) / sd  # (2)
        self.RD, self.CA = self.R @ down.T, self.C @ across.T
        b = np.einsum("iyk,pskl,jxl->yxpisj", self.RD, q, self.CA)  # (3)
        standard = (mean - self.spec.luminance_mean) / sd
        of_mean = np.einsum("iyr,rc,jxc->yxij", self.R, standard, self.C)
        z_mean = np.einsum("isjh,s,yxij->yxh", self.M, w["temporal"].sum(1), of_mean)
        z = np.einsum("yxpisj,isjh->yxph", b, self.M)
        z += (w["mix_bias"] + z_mean)[:, :, None]  # (4)
        half = self.hidden // 2
        u = np.where(np.arange(self.hidden) < half, elu(z), z**2 / (1 + np.abs(z)))  # (5)
        c = np.abs(u).sum(3) / self.hidden  # (6)
        d = 1 + self.gain * np.einsum("yY,YXp,xX->yxp", self.blur[0], c, self.blur[1])  # (7)
        v = u / d[..., None]  # (8)
        e = self._second_layer(v)
        o = np.repeat(w["bias"][:, None], len(self.wanted), 1)  # (11)
        for n, p in np.ndindex(o.shape):
            for maps, (sites, alpha), weights in self._readouts(v, e):
                for site, share in zip(sites[n].astype(int), alpha[n], strict=True):
                    y, x = divmod(site, maps.shape[1])
                    o[n, p] += share * weights[n] @ maps[y, x, p]
        self.z, self.u, self.d, self.v, self.e, self.o = z, u, d, v, e, o
        return elu(o).T + 1  # (12)

    def _readouts(self, v: Array, e: Array) -> list[tuple[Array, list[Array], Array]]:
        weights = self.weights["weights"]
        return [
            (v, self.corners[0], weights[:, : self.hidden]),
            (e, self.corners[1], weights[:, self.hidden :]),
        ]

    def _second_layer(self, v: Array) -> Array:
        rows, cols = self.coarse
        pooled = np.zeros((rows, cols, *v.shape[2:]))
        for y, x in np.ndindex(2 * rows, 2 * cols):
            pooled[y // 2, x // 2] += v[y, x] / 4  # (9)
        framed = np.pad(pooled, ((1, 1), (1, 1), (0, 0), (0, 0)))
        xi = np.zeros((rows, cols, v.shape[2], SIZES["features"])) + self.weights["combine_bias"]
        for y, x, i, j in np.ndindex(rows, cols, 3, 3):
            xi[y, x] += framed[y + i, x + j] @ self.weights["combine"][:, :, i, j].T
        return elu(xi)  # (10)

    def vjp(self, grad_rate: Array) -> Array:
        """Gradient of all frames' coefficients after `forward`; of free ones it is a part."""
        z, u, d, v, e = self.z, self.u, self.d, self.v, self.e
        grad_o = grad_rate.T * np.exp(np.minimum(self.o, 0))  # (12')
        grad_v, grad_e = np.zeros_like(v), np.zeros_like(e)
        for n, p in np.ndindex(grad_o.shape):
            for grad, (sites, alpha), weights in self._readouts(grad_v, grad_e):
                for site, share in zip(sites[n].astype(int), alpha[n], strict=True):
                    y, x = divmod(site, grad.shape[1])
                    grad[y, x, p] += share * weights[n] * grad_o[n, p]  # (11')
        rows, cols = self.coarse
        grad_xi = grad_e * (np.minimum(e, 0) + 1)
        framed = np.pad(grad_xi, ((1, 1), (1, 1), (0, 0), (0, 0)))
        grad_w = np.zeros((rows, cols, *v.shape[2:]))
        for y, x, i, j in np.ndindex(rows, cols, 3, 3):
            grad_w[y, x] += framed[y + 2 - i, x + 2 - j] @ self.weights["combine"][:, :, i, j]
        for y, x in np.ndindex(2 * rows, 2 * cols):  # (10') above, (9') here
            grad_v[y, x] += grad_w[y // 2, x // 2] / 4
        grad_u = grad_v / d[..., None]
        grad_d = -(grad_u * v).sum(3)  # (8')
        grad_c = self.gain * np.einsum("Yy,YXp,Xx->yxp", self.blur[0], grad_d, self.blur[1])  # (7')
        grad_u += np.sign(u) * grad_c[..., None] / self.hidden  # (6')
        rectified = np.where(z > 0, 1, u + 1)
        squared = z * (2 + np.abs(z)) / (1 + np.abs(z)) ** 2
        grad_z = grad_u * np.where(np.arange(self.hidden) < self.hidden // 2, rectified, squared)
        grad_b = np.einsum("yxph,isjh->yxpisj", grad_z, self.M)  # (5') above, (4') here
        grad_q = np.einsum("iyk,yxpisj,jxl->pskl", self.RD, grad_b, self.CA)  # (3')
        return np.einsum("spt,pskl->tkl", self.K, grad_q) / self.spec.luminance_sd  # (2')

    def prediction(self, a: Array, behaviour: Array) -> Array:
        """(frame, neuron) in twin units; frames before the first have the drive of the first."""
        w, rate = self.weights, self.forward(a)
        scaled = np.clip((behaviour - w["behaviour_mean"]) / w["behaviour_sd"], -4, 4)
        gamma = np.exp(2 * np.tanh(scaled @ w["behaviour_gain"] / 2))  # (13)
        out = np.zeros_like(rate)
        for p in range(FRAMES):
            for tau, weight in enumerate(w["response_kernel"][::-1]):
                at = max(p - tau * self.stride, 0)
                out[p] += w["scale"] * abs(weight) * gamma[at] * rate[at]  # (14)
        return out


def a_basis(rows_px: int, cols_px: int) -> Basis:
    mean = 110 + 30 * torch.randn(rows_px, cols_px, generator=torch.Generator().manual_seed(3))
    return Basis(cosine_basis(rows_px, kept=3), cosine_basis(cols_px, kept=4), mean)


def normal(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


SCREENS = pytest.mark.parametrize(("rows_px", "cols_px"), [(8, 10), (11, 9)])


@SCREENS
def test_the_equations_give_the_prediction_of_the_module(rows_px: int, cols_px: int) -> None:
    twin = tiny_twin(rows_px, cols_px)
    equations = Equations(twin, a_basis(rows_px, cols_px), list(range(FRAMES)))
    a, behaviour = 80 * normal(FRAMES, 3, 4, seed=1), 3 + normal(FRAMES, 4, seed=2)
    video = torch.from_numpy(equations.frames(a))[None]
    expected = twin.double()(video, torch.from_numpy(behaviour)[None])[0]
    # the blur matrices of the module are made in single precision
    np.testing.assert_allclose(equations.prediction(a, behaviour), expected, rtol=1e-5)


@SCREENS
def test_the_products_with_a_prime_give_the_gradient_of_automatic_differentiation(
    rows_px: int, cols_px: int
) -> None:
    twin, basis = tiny_twin(rows_px, cols_px), a_basis(rows_px, cols_px)
    wanted = [2, 7, 9, 11]
    equations = Equations(twin, basis, wanted)
    a, grad_rate = 80 * normal(FRAMES, 3, 4, seed=4), normal(len(wanted), NEURONS, seed=5)
    video = torch.from_numpy(equations.frames(a))[None].requires_grad_()
    rate = twin.double().drive(video, wanted)[0]
    (grad_video,) = torch.autograd.grad((rate * torch.from_numpy(grad_rate)).sum(), video)
    down, across, _ = equations.basis
    expected = np.einsum("kr,trc,lc->tkl", down, grad_video[0].numpy(), across)
    np.testing.assert_allclose(equations.forward(a), rate.detach(), rtol=1e-5)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(equations.vjp(grad_rate), expected, atol=1e-6 * largest)


@SCREENS
def test_the_compiled_passes_give_drive_and_gradient_of_the_equations(
    rows_px: int, cols_px: int
) -> None:
    twin, basis, wanted = tiny_twin(rows_px, cols_px), a_basis(rows_px, cols_px), [6, 9, 11]
    equations = Equations(twin, basis, wanted)
    a, grad_rate = 80 * normal(FRAMES, 3, 4, seed=6), normal(len(wanted), NEURONS, seed=7)
    free = FRAMES - HISTORY
    drive = CompactDrive(twin, basis, history=HISTORY, free=free, wanted=wanted)
    old, new = torch.from_numpy(a).float().split([HISTORY, free])
    state = drive.state()
    rate = drive.forward(new, drive.history_term(old), state)
    np.testing.assert_allclose(rate, equations.forward(a), rtol=1e-4)
    expected = equations.vjp(grad_rate)[HISTORY:]
    found = drive.vjp(torch.from_numpy(grad_rate).float(), state)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
