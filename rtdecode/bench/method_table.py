"""A benchmark table of reconstruction methods: one row for each method, all on the same trials."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtdecode.bench.faults import Fault, without_fault
from rtdecode.bench.result_file import KeptRows
from rtdecode.datasets.video_session import VideoSession
from rtdecode.decode.fitted_twin import FittedTwin
from rtdecode.offline.job import Scored, summary_of
from rtdecode.offline.methods import Method
from rtdecode.offline.reconstruct import scored_trials, trained_clips_of
from rtdecode.offline.trial import Input, Trial, causality_of, trials_of, with_neurons
from rtdecode.runtime.cluster import Workers, in_this_process
from rtdecode.schema.interfaces import Clock


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What all rows of a table have in common: session, trials, twins and scored pixels."""

    data: VideoSession
    twins: Sequence[FittedTwin]
    """The first is used by single-twin methods; several make ensembles."""
    mask: NDArray[np.bool_]
    """(row, col) True for scored pixels."""
    tier: str
    count: int | None = None
    """Number of trials, from the first of the tier on; None for all."""

    def trials(self, kind: Input = Input.RESPONSES) -> Iterable[Trial]:
        """The trials with activity of this kind, one in memory at a time."""
        found = trials_of(self.data, self.tier, kind, twin=self.twins[0].twin)
        return islice(found, self.count)


class MethodTable:
    """Runs methods on the trials of a comparison and keeps a row for each.

    Parameters
    ----------
    compared
        Session, trials, twins and mask.
    rows
        The file with the rows; rows that it holds already are not computed again.
    clock
        Measures the duration of each reconstruction.
    report
        Called with the title of each row, and whether it exists already.
    workers
        Who reconstructs: each trial of a row is a task.
    """

    def __init__(
        self,
        compared: Comparison,
        rows: KeptRows,
        *,
        clock: Clock,
        report: Callable[[str], None],
        workers: Workers = in_this_process,
    ) -> None:
        self.compared, self.report = compared, report
        self.workers = workers
        self._rows, self._clock = rows, clock

    def has(
        self,
        name: str,
        *,
        lag_frames: int | None,
        steps: int,
        neurons: int | None = None,
        twins: int = 1,
    ) -> bool:
        """Whether the row exists, which is then reported; `neurons` None stands for all."""
        which: dict[str, Any] = {"method": name, "lag_frames": lag_frames, "steps": steps}
        used = self.compared.data.neurons if neurons is None else neurons
        if self._rows.find(**which, neurons=used, twins=twins) is None:
            return False
        self.report(f"{_title(name, lag_frames, steps)}: exists already")
        return True

    def run(
        self,
        name: str,
        method: Method,
        *,
        kind: Input = Input.RESPONSES,
        kept: NDArray[np.bool_] | None = None,
        twins: int = 1,
        fault: Fault = without_fault,
    ) -> None:
        """Compute the row of one method unless it exists.

        Parameters
        ----------
        kept
            (neuron,) False for neurons that are treated as not measured; None for all True.
        twins
            Number of twins that the method averages.
        fault
            A fault that is put into each trial.
        """
        used = np.ones(self.compared.data.neurons, np.bool_) if kept is None else kept
        neurons, lag, steps = int(used.sum()), method.lag_frames, method.steps
        if self.has(name, lag_frames=lag, steps=steps, neurons=neurons, twins=twins):
            return
        self.report(_title(name, lag, steps))
        trials = (with_neurons(fault(trial), used) for trial in self.compared.trials(kind))
        done = scored_trials(
            method,
            trials,
            mask=self.compared.mask,
            clock=self._clock,
            trained=trained_clips_of(method, self.compared.twins),
            workers=self.workers,
        )
        self.add(name, method, list(done), kind=kind, neurons=neurons, twins=twins)

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
        """Add a row of existing scores."""
        causality = causality_of(self.compared.data, kind)
        row = summary_of(done, method, name=name, causality=causality, neurons=neurons)
        self._rows.add({**row, "twins": twins})


def _title(name: str, lag_frames: int | None, steps: int) -> str:
    lag = "the whole clip" if lag_frames is None else f"lag {lag_frames}"
    return f"{name} ({lag}, steps {steps})"
