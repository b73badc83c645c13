import torch

from rtdecode.decode.threads import use_threads


def test_torch_takes_the_threads_it_is_given() -> None:
    before = torch.get_num_threads()
    use_threads(2)
    assert torch.get_num_threads() == 2
    use_threads(1)
    assert torch.get_num_threads() == 1
    use_threads(before)
