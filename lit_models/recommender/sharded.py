"""Tables of vectors that are larger than one device: the rows divided among processes, through torch's DTensor.

Memory of a recommender is its tables: 100 million users with 64 numbers are 26 GB, and Adam's moments twice that again.
``shard_tables`` gives each process a block of the rows of every table (``Shard(0)``). A lookup asks all processes for
the same numbers; each has the vectors of its own rows and zeros for the others, and a sum over the processes is the
answer. Its gradient goes to the process that has the row. So all processes have the same batch, and what follows the
lookup is computed by each of them; only the tables, their gradients and their moments are divided.

A ranking needs no table whole either: each process finds the best of its own rows, and the best of these are the
answer (``best_rows``); B times k scores are sent, not B times I.

Ivchenko et al. 2022, "TorchRec: a PyTorch domain library for recommendation systems", calls this row-wise sharding.
Not in D2L.

    mesh = init_device_mesh("cpu", (2,))
    net = shard_tables(Factors(num_users, num_items), mesh)      # then as ever: loss, backward, optimizer
    scores, items = best_rows(net.user(users), net.item.weight, 10, net.bias.weight)
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import RowwiseParallel, parallelize_module


def shard_tables(net: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Divides the rows of all tables (``nn.Embedding``) of a network, in place; other weights stay whole.

    The processes must begin with the same weights: the first one's rows are sent to the others.

    Args:
        net: The network. Its lookups work as before, its products with a whole table do not: see ``best_rows``.
        mesh: The processes, in one dimension.
    """
    tables = [name for name, module in net.named_modules() if isinstance(module, nn.Embedding)]
    return parallelize_module(net, mesh, {name: RowwiseParallel(input_layouts=Replicate()) for name in tables})


@torch.no_grad()
def best_rows(queries: Tensor, table: Tensor, count: int, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The largest products of queries (B, E) with the rows of a table (I, E), and their rows: (B, k) each, k = count.

    Args:
        queries: The same in all processes.
        table: Divided by ``shard_tables``.
        count: k, at most I.
        bias: Of each row (I, 1), divided alike.
    """
    if not isinstance(table, DTensor):
        raise TypeError("best_rows is for a table that shard_tables divided")
    mesh, own = table.device_mesh, table.to_local()
    scores = queries @ own.T
    if isinstance(bias, DTensor):
        scores = scores + bias.to_local().T
    first = sum(size_of_block(len(table), mesh.size(), rank) for rank in range(mesh.get_local_rank()))
    values, rows = scores.topk(min(count, scores.shape[1]), 1)
    short = count - values.shape[1]  # a block may have fewer rows
    values = nn.functional.pad(values, (0, short), value=-torch.inf)
    rows = nn.functional.pad(rows + first, (0, short))
    found = [[torch.empty_like(part) for _ in range(mesh.size())] for part in (values, rows)]
    for parts, part in zip(found, (values, rows), strict=True):
        dist.all_gather(parts, part.contiguous(), group=mesh.get_group())
    every, places = (torch.cat(parts, 1) for parts in found)
    best, order = every.topk(count, 1)
    return best, places.gather(1, order)


def size_of_block(rows: int, world: int, rank: int) -> int:
    """How many rows a process has: blocks of ceil(rows / world), of which the last ones are smaller or empty."""
    block = -(-rows // world)
    return max(0, min(block, rows - rank * block))
