"""A microscope so small that a run takes a moment."""

import numpy as np
from scipy import ndimage

from rtdecode.calcium.masks import masks_from_lists
from rtdecode.schema.messages import Behaviour, Received, Scan, Stamped

ROWS, COLS, RATE_HZ = 48, 56, 15.0


class SmallRig:
    """Scans of nine cells, which flicker, on dim, spotted tissue; behaviour beside them."""

    def __init__(self) -> None:
        rows, cols = np.mgrid[:ROWS, :COLS]
        centers = [(r, c) for r in (10, 24, 38) for c in (12, 28, 44)]
        self.cells = [np.flatnonzero((rows - r) ** 2 + (cols - c) ** 2 <= 9) for r, c in centers]
        self.masks = masks_from_lists((ROWS, COLS), [(c, np.ones(len(c))) for c in self.cells])
        spots = ndimage.gaussian_filter(np.random.default_rng(3).normal(0, 60, (ROWS, COLS)), 1.5)
        self.ground = np.maximum(60 + spots + 40 * self.masks.footprint(), 1)

    def bodies(self, number: int) -> tuple[Behaviour, Scan]:
        light, rng = self.ground.copy(), np.random.default_rng([9, number])
        for pixels in self.cells:
            light.reshape(-1)[pixels] += 60 * rng.random()
        start_ns, end_ns = (round(n * 1e9 / RATE_HZ) for n in (number, number + 0.95))
        behaviour = Behaviour(start_ns, 10.0 * number, 20.0, np.array([1, 2], np.float32))
        return behaviour, Scan(rng.poisson(light).astype("u2"), number, 0, start_ns, end_ns)

    def stream(self, count: int) -> list[Received]:
        """Behaviour and scan in turn, each as it came from the bridge."""
        bodies = [(n, body) for n in range(count) for body in self.bodies(n)]
        return [
            Received(Stamped("bridge", n, 0, "host", body), round((n + 1) * 1e9 / RATE_HZ))
            for n, body in bodies
        ]
