"""Learning rate over a training: warm-up, cosine, and a short landing where time runs out."""

import math

_LANDING = 0.15
"""Part of the permitted time that is kept for bringing the learning rate down to 0."""


def learning_rate_factor(
    step: int, *, steps: int, warm_up: int, elapsed_s: float = 0.0, limit_s: float | None = None
) -> float:
    """Factor, 0..1, on the learning rate at `step`.

    Linear over the first `warm_up` steps, then half a cosine to 0 at `steps` (Loshchilov & Hutter
    2017, arXiv:1608.03983). Where a limit is near before that, the rate falls to 0 at the limit.
    """
    rise = min(1.0, (step + 1) / max(1, warm_up))
    done = max(0.0, (step - warm_up) / max(1, steps - warm_up))
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done))) * _landing(elapsed_s, limit_s)


def _landing(elapsed_s: float, limit_s: float | None) -> float:
    if limit_s is None:
        return 1.0
    return min(1.0, max(0.0, (limit_s - elapsed_s) / (_LANDING * limit_s)))
