"""Workers that share long work: one process, those of this computer, a Dask scheduler, or SLURM.

The work is a function, what all its calls have in common, and a list of items. Each item is a task;
its result does not depend on the worker that computes it, so that the results of a cluster are
those of one process with as many threads. A worker that is lost costs only the task it was at,
which another one begins anew (Dask: https://distributed.dask.org/en/stable/resilience.html).

>>> list(in_this_process(pow, 2, [1, 2, 3]))
[2, 4, 8]
"""

import logging
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, Protocol, TypeVar

from rtdecode.runtime.extras import CLUSTER, missing_extra_named
from rtdecode.schema.errors import ClusterError

LOCAL, SLURM = "local", "slurm"
"""Workers of this computer, and jobs of SLURM; any other name is the address of a scheduler."""
_CONNECTION_S = 30.0
_AHEAD = 2
"""Tasks for each worker that are handed over before the first result is taken."""
_RETRIES = 3

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Calls `function(shared, item)` for each item, and gives the results in the order of items."""

    def __call__(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
    ) -> Iterator[Result]: ...


def in_this_process(
    function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
) -> Iterator[Result]:
    """One call after the other, each when its result is asked for."""
    return (function(shared, item) for item in items)


def _nothing() -> None:
    pass


@contextmanager
def cluster(
    name: str | None, *, workers: int, prepare: Callable[[], object] = _nothing
) -> Iterator[Workers]:
    """The workers that `name` stands for, until the end of the block.

    Parameters
    ----------
    name
        `local`, `slurm`, or the address of a running Dask scheduler (`tcp://HOST:PORT`); None for
        this process alone.
    workers
        Number of workers that are started; a scheduler that runs already has its own.
    prepare
        Called before each task by the worker that computes it, to set what results depend on, as
        the number of threads. This process is prepared by the caller.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached or has no workers, or SLURM is not set up.
    ExtraMissingError
        If the extra `cluster` is not installed.
    """
    if name is None:
        yield in_this_process
        return
    with missing_extra_named(CLUSTER):
        from distributed import Client
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with ExitStack() as ending:
        try:
            scheduler = ending.enter_context(_scheduler(name, workers))
            client = ending.enter_context(Client(scheduler, timeout=_CONNECTION_S))
            client.wait_for_workers(1, timeout=_CONNECTION_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise ClusterError(name=name, reason=str(error)) from error
        yield DaskWorkers(client, prepare)


class DaskWorkers:
    """The workers of a Dask client.

    At most two tasks for each worker are handed over at a time, so that the items of long work do
    not all lie in memory at once.
    """

    def __init__(self, client: Any, prepare: Callable[[], object]) -> None:
        self._client, self._prepare = client, prepare

    def __call__(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Iterable[Item],
    ) -> Iterator[Result]:
        # the result of a task is computed again where the worker that holds it is lost, which data
        # that were scattered are not
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            held = self._client.submit(_same, shared, pure=False, retries=_RETRIES)
        # `pure` would let two equal items be one task
        submitted = (
            self._client.submit(
                _prepared, self._prepare, function, held, item, pure=False, retries=_RETRIES
            )
            for item in items
        )
        waiting = deque(islice(submitted, self._most))
        while waiting:
            result = waiting.popleft().result()
            # workers join while the work lasts, as jobs of a queue do
            waiting += islice(submitted, max(0, self._most - len(waiting)))
            yield result

    @property
    def _most(self) -> int:
        """Tasks that are handed over at a time, to the workers that there are now."""
        return _AHEAD * max(1, len(self._client.nthreads()))


def _same(shared: Shared) -> Shared:
    return shared


def _prepared(
    prepare: Callable[[], object],
    function: Callable[[Shared, Item], Result],
    shared: Shared,
    item: Item,
) -> Result:
    """A task, as its worker computes it."""
    prepare()
    return function(shared, item)


@contextmanager
def _scheduler(name: str, workers: int) -> Iterator[Any]:
    """What a Dask client connects to: an address, or a scheduler with workers, started here."""
    if name == LOCAL:
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as started:
            yield started
    elif name == SLURM:
        with slurm_jobs() as started:
            started.scale(jobs=workers)
            yield started
    elif "://" in name:
        yield name
    else:
        raise ClusterError(name=name, reason="it is no address of a scheduler")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what an import in the block does to Ctrl-C: dask-jobqueue (0.9) makes it end at once."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def slurm_jobs() -> Any:
    """A scheduler whose workers are jobs of SLURM, with the settings of the site (~/.config/dask).

    Raises
    ------
    ExtraMissingError
        If the extra `cluster` is not installed.
    ValueError
        If the settings lack the cores or the memory of a job.
    """
    with missing_extra_named(CLUSTER), _signals_kept():
        from dask_jobqueue import SLURMCluster
    return SLURMCluster(scheduler_options={"dashboard_address": None})
