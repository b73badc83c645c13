"""A compiled loop gives the bits of the plain one, NaN and the order of sums included."""

import numpy as np

from rtdecode.calcium.compiled import compiled


def total(values: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(values)):
        if values[i] == values[i]:
            out[0] += values[i]


def test_sums_have_the_bits_of_the_plain_loop_and_nan_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=1000) * 10.0 ** rng.integers(-6, 7, 1000)).astype(np.float32)
    values[::7] = np.nan
    fast, plain = np.zeros(1, np.float32), np.zeros(1, np.float32)
    compiled(total)(values, fast)
    total(values, plain)
    assert np.isfinite(plain[0])
    assert fast.tobytes() == plain.tobytes()


def test_it_keeps_what_it_was_made_of() -> None:
    loop = compiled(total)
    assert getattr(loop, "py_func", None) is total
    assert loop.__name__ == "total"
