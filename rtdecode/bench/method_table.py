"""Methods on the same trials, mask and twins, a row for each."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.result_file import KeptRows
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.evaluate.leakage import TrainedClips
from rtdecode.offline.methods import Method
from rtdecode.offline.reconstruct import Scored, reconstruct, summary_of
from rtdecode.offline.trial import Input, Trial, causality_of, trials_of, with_neurons
from rtdecode.schema.interfaces import Clock


class MethodTable:
    """Runs methods on the trials of one tier and keeps a row for each.

    Parameters
    ----------
    data, twins, mask
        The session, its twins (several make ensembles), and the scored pixels.
    rows
        Where the rows go; what is there already is not run again.
    trials
        How many of the tier; the same for every rung. None for all.
    report
        Told each rung, and whether it is there already.
    """

    def __init__(
        self,
        data: VideoSession,
        twins: Sequence[FittedTwin],
        mask: NDArray[np.bool_],
        rows: KeptRows,
        *,
        tier: str,
        trials: int | None,
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self.data, self.twins, self.mask, self.report = data, twins, mask, report
        self._rows, self._tier, self._count, self._clock = rows, tier, trials, clock

    def trials(self, kind: Input = Input.RESPONSES) -> Iterable[Trial]:
        """The trials, one in state at a time."""
        found = trials_of(self.data, self._tier, kind, twin=self.twins[0].twin)
        return islice(found, self._count)

    def has(
        self,
        name: str,
        *,
        lag_frames: int | None,
        steps: int,
        neurons: int | None = None,
        twins: int = 1,
    ) -> bool:
        """Whether this row is there already, which is then reported; all neurons by default."""
        which: dict[str, Any] = {"method": name, "lag_frames": lag_frames, "steps": steps}
        heard = self.data.neurons if neurons is None else neurons
        if self._rows.find(**which, neurons=heard, twins=twins) is None:
            return False
        self.report(f"{_title(name, lag_frames, steps)}: there already")
        return True

    def run(
        self,
        name: str,
        method: Method,
        *,
        kind: Input = Input.RESPONSES,
        kept: NDArray[np.bool_] | None = None,
        twins: int = 1,
    ) -> None:
        """Add the row of one method if it is missing; `kept` are the neurons that are heard."""
        everyone = np.ones(self.data.neurons, np.bool_) if kept is None else kept
        neurons, lag, steps = int(everyone.sum()), method.lag_frames, method.steps
        if self.has(name, lag_frames=lag, steps=steps, neurons=neurons, twins=twins):
            return
        self.report(_title(name, lag, steps))
        trials = (with_neurons(trial, everyone) for trial in self.trials(kind))
        done = reconstruct(
            method,
            trials,
            mask=self.mask,
            clock=self._clock,
            trained=[TrainedClips(fitted.twin.spec.training_clips) for fitted in self.twins],
        )
        self.add(name, method, done, kind=kind, neurons=neurons, twins=twins)

    def add(
        self,
        name: str,
        method: Method,
        done: Sequence[Scored],
        *,
        neurons: int,
        kind: Input = Input.RESPONSES,
        twins: int = 1,
    ) -> None:
        """Add a row of scores that are there already."""
        causality = causality_of(self.data, kind)
        row = summary_of(done, method, name=name, causality=causality, neurons=neurons)
        self._rows.add({**row, "twins": twins})


def _title(name: str, lag_frames: int | None, steps: int) -> str:
    lag = "the whole clip" if lag_frames is None else f"lag {lag_frames}"
    return f"{name} ({lag}, steps {steps})"
