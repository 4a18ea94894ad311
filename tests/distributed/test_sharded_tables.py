"""Tables of vectors divided by rows: two processes train and rank as one, and each has half of the rows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lit_models.recommender.bpr_mf import Factors
from lit_models.recommender.sharded import best_rows, shard_tables
from tests.distributed.group import together

USERS, ITEMS, EMBED, BATCH, STEPS, TOP = 13, 21, 4, 16, 6, 5  # odd numbers: the blocks are unequal


def trained(net: Factors, upside_down: bool = False) -> Factors:
    """BPR on batches that are the same everywhere; ``upside_down``: one process has others."""
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    draw = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        users = torch.randint(USERS, (BATCH,), generator=draw)
        items = torch.randint(ITEMS, (BATCH, 2), generator=draw)
        scores = net(users, users[:, None], items.flip(1) if upside_down else items)
        loss = -F.logsigmoid(scores[:, 0] - scores[:, 1]).mean() + 0.01 * net.squares(users, items)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def fresh() -> Factors:
    torch.manual_seed(0)
    return Factors(USERS, ITEMS, EMBED).double()


def divided(other_batches: bool = False) -> dict[str, Any]:
    """In each of two processes: the trained tables as a whole, the rows that it holds, a ranking."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    net: Any = shard_tables(fresh(), init_device_mesh("cpu", (dist.get_world_size(),)))
    trained(net, upside_down=other_batches and dist.get_rank() == 1)
    best = best_rows(net.user(torch.arange(USERS)), net.item.weight, TOP, net.bias.weight)
    few = best_rows(net.user(torch.arange(2)), net.item.weight, ITEMS, net.bias.weight)
    return {
        "weights": {name: value.full_tensor() for name, value in net.state_dict().items()},
        "rows": {name: len(p.to_local()) for name, p in net.named_parameters()},
        "best": best,
        "all": few,
    }


@pytest.fixture(scope="module")
def whole() -> Factors:
    return trained(fresh())


def test_two_processes_with_half_of_the_rows_each_train_and_rank_as_one(whole: Factors, tmp_path: Path) -> None:
    found = together(divided, folder=tmp_path)
    everyone = torch.arange(USERS)
    scores = whole(everyone, everyone[:, None])
    values, items = scores.topk(TOP, 1)
    for one in found:
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(one["weights"][name], value, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(one["best"][0], values)
        assert torch.equal(one["best"][1], items)
        assert torch.equal(one["all"][1], scores[:2].argsort(1, descending=True))  # more than a block has
    assert [one["rows"] for one in found] == [
        {"user.weight": 7, "item.weight": 11, "bias.weight": 11},
        {"user.weight": 6, "item.weight": 10, "bias.weight": 10},
    ]


@pytest.mark.slow
def test_other_batches_in_one_process_end_elsewhere(whole: Factors, tmp_path: Path) -> None:
    """The test above can fail."""
    found = together(divided, True, folder=tmp_path)
    weights = found[0]["weights"]["item.weight"]
    assert (weights - whole.state_dict()["item.weight"]).abs().max() > 1e-3
