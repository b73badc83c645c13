"""After the warm-up no loop is compiled, for any pixel type and registration."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from textwrap import dedent

import numpy as np
import pytest

from rtdecode.pipeline import warm_up
from rtdecode.schema.config.calcium import Registration
from rtdecode.schema.messages import Reconstruction, WindowFrame

SCRIPT = dedent("""
    import sys

    import numpy as np

    from rtdecode.calcium import baseline, block_register, deconvolve, demix, extract, resample
    from rtdecode.calcium.chain import CalciumChain
    from rtdecode.calcium.rois import rois_from_lists
    from rtdecode.pipeline.warm_up import warm_up_calcium
    from rtdecode.runtime.clock import HostClock
    from rtdecode.runtime.codec import pack, unpack
    from rtdecode.schema.config.calcium import CalciumConfig, Registration
    from rtdecode.schema.frame_grid import FrameGrid
    from rtdecode.schema.messages import Received, Scan, Stamped

    LOOPS = [
        loop
        for module in (baseline, block_register, deconvolve, demix, extract, resample)
        for loop in vars(module).values()
        if hasattr(loop, "signatures")
    ]

    def compiled():
        return {(loop.__name__, str(one)) for loop in LOOPS for one in loop.signatures}

    registration = Registration(sys.argv[1])
    warm_up_calcium(HostClock(), registration=registration)
    before = compiled()
    rng = np.random.default_rng(1)
    cells = [(np.arange(900, 930), np.ones(30)), (np.arange(915, 960), np.ones(45))]
    for kind in ("uint16", "int16"):
        chain = CalciumChain(
            CalciumConfig(reference_scans=3, calibration_s=0.3, registration=registration),
            rois=rois_from_lists((40, 48), cells),
        grid=FrameGrid(30.0),
            scan_rate_hz=None,
            reference=None,
            calibration=None,
            clock=HostClock(),
        )
        image = rng.normal(60, 20, (40, 48)).clip(1)
        for n in range(12):
            scan = Scan(rng.poisson(image).astype(kind), n, 0, n * 50_000_000, n * 50_000_000 + 1)
            message = unpack(pack(Stamped("bridge", n, 0, "host", scan)))
            for _ in chain.step([Received(message, 0)]):
                pass
    # called by other loops alone, whose compiled code has them
    inner = {"_sum", "_weighted_sum"}
    if registration is Registration.RIGID:
        inner.add("_move_blocks")
    assert {name for name, _ in before} - inner == {loop.__name__ for loop in LOOPS} - inner
    assert compiled() == before, compiled() - before
""")


class CountingDecoder:
    def __init__(self) -> None:
        self.frames = list[int]()

    def step(self, items: Sequence[WindowFrame]) -> list[Reconstruction]:
        self.frames += [item.responses.frame for item in items]
        return []


@pytest.mark.parametrize(("longest_s", "expected"), [(1e9, 9), (0.0, 1)])
def test_the_warm_up_of_a_slow_decoder_ends_early(
    monkeypatch: pytest.MonkeyPatch, longest_s: float, expected: int
) -> None:
    monkeypatch.setattr(warm_up, "_LONGEST_S", longest_s)
    monkeypatch.setattr(warm_up.time, "process_time", count().__next__)
    decoder = CountingDecoder()
    warm_up.warm_up_decoder(
        decoder,  # type: ignore[arg-type]
        neurons=3,
        frames=9,
        behaviour=np.zeros(4, np.float32),
    )
    assert decoder.frames == list(range(expected))


@pytest.mark.parametrize("registration", Registration)
def test_no_loop_is_compiled_after_the_warm_up(registration: Registration) -> None:
    # in a process of its own: here other tests may have compiled what the warm-up has missed
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, registration.value],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
