"""Messages and their count: what a process alone does; groups are in tests/distributed/test_meeting.py."""

import torch

from lit_models.parallel.point_to_point import counted, everybody, exchange, rank, world


def test_one_process_sends_nothing() -> None:
    with counted() as traffic:
        exchange({}, {})
        (mine,) = everybody(torch.arange(3))
    assert (rank(), world()) == (0, 1)
    assert torch.equal(mine, torch.arange(3))
    assert traffic.sent == traffic.messages == 0
