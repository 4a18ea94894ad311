"""Adam does not look for NVIDIA's management library in every step where there is no GPU."""

import os

import pytest
import torch

from callbacks.device_search import VARIABLE, skip_search_for_gpu


def searches(monkeypatch: pytest.MonkeyPatch) -> int:
    """How often three steps of Adam load the library."""
    loaded: list[int] = []
    monkeypatch.setattr(torch.cuda, "_device_count_nvml", lambda: loaded.append(1) or -1)
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.Adam([weight])
    for _ in range(3):
        optimizer.step()
    return len(loaded)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_adam_does_not_search_for_a_gpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")  # as Lightning sets it
    if torch._C._has_cuda:
        assert searches(monkeypatch) == 3
    skip_search_for_gpu()
    assert searches(monkeypatch) == 0


def test_the_check_stays_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    skip_search_for_gpu()
    assert os.environ[VARIABLE] == "1"
