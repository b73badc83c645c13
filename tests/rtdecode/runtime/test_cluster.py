"""Workers give what one process gives, in its order, and losing one of them costs its task only."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cluster_work import (
    KILLED,
    prepared,
    prepared_or_not,
    product,
    product_or_end,
    refused,
)

from rtdecode.runtime.cluster import Workers, cluster, in_this_process
from rtdecode.schema.errors import ClusterError


@pytest.fixture(scope="module")
def four() -> Iterator[Workers]:
    with cluster("local", workers=4) as workers:
        # a thread that Dask keeps for later clients begins with the first task
        assert list(workers(product, [[1.0]], [0]))
        yield workers


def test_one_process_computes_when_it_is_asked() -> None:
    asked: list[int] = []
    results = in_this_process(lambda shared, item: asked.append(item) or shared + item, 1, [1, 2])
    assert asked == []
    assert next(results) == 2
    assert asked == [1]


def test_without_a_name_the_work_stays_in_this_process() -> None:
    with cluster(None, workers=4) as workers:
        assert list(workers(lambda _, item: (item, os.getpid()), None, [5])) == [(5, os.getpid())]


@pytest.mark.system
@pytest.mark.filterwarnings("ignore")
class TestFourWorkers:
    def test_results_are_those_of_one_process_in_the_same_order(self, four: Workers) -> None:
        matrix = np.random.default_rng(0).normal(size=(50, 50)).tolist()
        alone = list(in_this_process(product, matrix, range(40)))
        assert list(four(product, matrix, range(40))) == alone

    @pytest.mark.usefixtures("four")
    def test_a_killed_worker_costs_only_its_task(self, tmp_path: Path) -> None:
        matrix = np.random.default_rng(1).normal(size=(50, 50)).tolist()
        alone = list(in_this_process(product, matrix, range(12)))
        with cluster("local", workers=4) as workers:
            assert list(workers(product_or_end, (tmp_path, matrix), range(12))) == alone
        assert (tmp_path / KILLED).exists()

    @pytest.mark.usefixtures("four")
    def test_each_worker_is_prepared_and_this_process_is_not(self) -> None:
        with cluster("local", workers=2, prepare=prepared) as workers:
            assert list(workers(prepared_or_not, None, range(6))) == ["yes"] * 6
        assert prepared_or_not(None, 0) is None

    def test_an_error_of_a_task_is_the_callers(self, four: Workers) -> None:
        with pytest.raises(ClusterError, match="a task"):
            list(four(refused, None, range(4)))

    def test_few_items_lie_in_memory_at_once(self, four: Workers) -> None:
        made = list[int]()

        def items() -> Iterator[int]:
            for item in range(100):
                made.append(item)
                yield item

        results = four(lambda _, item: item, None, items())
        assert next(results) == 0
        assert len(made) <= 2 * 4 + 1
        assert list(results) == list(range(1, 100))


@pytest.mark.filterwarnings("ignore")
def test_a_name_that_is_no_address_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"locl.*no address"), cluster("locl", workers=1):
        pass


@pytest.mark.system
def test_a_scheduler_that_does_not_answer_is_named() -> None:
    code = """
        from rtdecode.runtime import cluster as module
        from rtdecode.schema.errors import ClusterError
        module._CONNECTION_S = 1.0
        try:
            with module.cluster("tcp://127.0.0.1:1", workers=1):
                pass
        except ClusterError as error:
            print(error)
    """
    assert "--cluster tcp://127.0.0.1:1 has no workers" in printed_by(code)


@pytest.mark.system
@pytest.mark.usefixtures("four")
@pytest.mark.filterwarnings("ignore")
def test_slurm_without_the_settings_of_the_site_is_named() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ClusterError, match=r"jobqueue\.yaml"), cluster("slurm", workers=1):
        pass
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.system
def test_jobs_of_slurm_start_a_worker_with_the_settings_of_the_site() -> None:
    """There is no SLURM here: the script that it would be given is read."""
    code = """
        import dask
        from rtdecode.runtime.cluster import slurm_jobs
        site = {"cores": 1, "memory": "4GB", "queue": "gpu", "account": "lab"}
        if __name__ == "__main__":
            with dask.config.set({f"jobqueue.slurm.{k}": v for k, v in site.items()}):
                with slurm_jobs() as jobs:
                    print(jobs.job_script())
    """
    script = printed_by(code)
    assert {"#SBATCH -p gpu", "#SBATCH -A lab", "#SBATCH --mem=4G"} <= set(script.splitlines())
    assert "-m distributed.cli.dask_worker" in script


def printed_by(code: str) -> str:
    """What a process of its own prints: Dask leaves threads behind after an error."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
