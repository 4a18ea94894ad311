"""Processes of their own: their memory is theirs, and every command that is timed runs."""

import pytest
import torch

from scripts.evidence.benches import processes


@pytest.mark.slow
def test_memory_of_a_child_is_its_own() -> None:
    hoard = torch.ones(200_000_000)  # 800 MB in this process, which ru_maxrss of a child would begin with
    sizes = [processes.training_memory(side, options, steps=1) for side, options in processes.SIDES.values()]
    assert min(sizes) > 100 and max(sizes) < processes.peak_memory() and len(hoard)


@pytest.mark.slow
@pytest.mark.parametrize("what", list(processes.STARTS))
def test_every_command_whose_start_is_measured_runs(what: str) -> None:
    wall, cpu, _ = processes.python(processes.STARTS[what])
    assert wall > 0 and cpu > 0
