import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
import torch
from free_ports import free_port

from rtdecode.train.distributed import Machines

MEMBER = """
import torch
from rtdecode.train.distributed import Machines
torch.set_num_threads(1)
machines = Machines()
weights = torch.zeros(2, requires_grad=True)
weights.grad = torch.tensor([1.0, 4.0]) * (machines.rank + 1)
machines.average_gradients([weights])
told = machines.of_leader(10.0 + machines.rank, torch.device("cpu"))
print(weights.grad.tolist(), told, machines.leads)
machines.close()
"""


def test_alone_nothing_changes() -> None:
    machines = Machines()
    weights = torch.ones(2, requires_grad=True)
    weights.grad = torch.tensor([1.0, 2.0])
    machines.average_gradients([weights])
    assert weights.grad.tolist() == [1, 2]
    assert machines.of_leader(3.0, torch.device("cpu")) == 3
    assert machines.leads


@pytest.mark.slow
def test_two_members_average_gradients_and_take_the_leaders_value(tmp_path: Path) -> None:
    script = tmp_path / "member.py"
    script.write_text(MEMBER)
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port("127.0.0.1")),
    }
    members = [
        Popen([sys.executable, str(script)], env={**shared, "RANK": str(rank)}, stdout=PIPE)
        for rank in range(2)
    ]
    try:
        told = [member.communicate(timeout=150)[0].decode().strip() for member in members]
    finally:
        for member in members:
            member.kill()
            member.communicate()
    assert told == ["[1.5, 6.0] 10.0 True", "[1.5, 6.0] 10.0 False"]
