import subprocess
import sys

import torch

from rtdecode.decode.compute import prepare_process

CHURN = """
import resource, sys, torch
from rtdecode.decode.compute import prepare_process
if sys.argv[1] == "kept":
    prepare_process(threads=1)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(30):  # until the heap has found its place for what lies between the blocks
    torch.ones(1 << 24)
before = faults()
for _ in range(10):
    torch.ones(1 << 24)
print(faults() - before)
"""


def page_faults(allocator: str) -> int:
    command = [sys.executable, "-c", CHURN, allocator]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_torch_uses_the_given_number_of_threads() -> None:
    prepare_process(threads=2)
    assert torch.get_num_threads() == 2
    prepare_process(threads=1)
    assert torch.get_num_threads() == 1


def test_freed_memory_is_kept_for_the_next_allocation() -> None:
    assert page_faults("kept") < page_faults("as it comes") / 10
