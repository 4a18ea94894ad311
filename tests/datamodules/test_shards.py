"""Shards: each row once, in equal parts for all processes, in a seeded order, from within an epoch; little memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.shards import ShardLoader, write_shards

N = 103
X, Y = torch.arange(3 * N).view(N, 3), torch.arange(N)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert write_shards(tmp_path, (X, Y), rows=10) == 11
    return tmp_path


@pytest.mark.parametrize("world", [1, 2, 3])
def test_each_row_is_read_once_with_its_target_in_equal_batches(folder: Path, world: int) -> None:
    loaders = [ShardLoader(folder, 8, shuffle=True, rank=r, world=world) for r in range(world)]
    batches = [list(loader) for loader in loaders]
    assert len({tuple(len(y) for _, y in part) for part in batches}) == 1
    assert all(len(part) == len(loader) for part, loader in zip(batches, loaders, strict=True))
    rows = torch.cat([y for part in batches for _, y in part])
    assert len(rows) == N - N % world and len(rows.unique()) == len(rows)
    assert all(torch.equal(x, X[y]) for part in batches for x, y in part)


def test_evaluation_reads_all_rows_in_their_order(folder: Path) -> None:
    for world in (1, 2, 4):
        parts = [torch.cat([y for _, y in ShardLoader(folder, 8, rank=r, world=world)]) for r in range(world)]
        assert all(torch.equal(part, Y[r::world]) for r, part in enumerate(parts))


def test_the_order_is_the_seeds_and_the_epochs(folder: Path) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        loader = ShardLoader(folder, 8, shuffle=True, seed=seed)
        loader.set_epoch(epoch)
        return torch.cat([y for _, y in loader]).tolist()

    assert order(0, 0) == order(0, 0) != order(0, 1) != order(1, 0)


@pytest.mark.parametrize("done", [0, 1, 5, 12])
def test_it_continues_within_an_epoch(folder: Path, done: int) -> None:
    first = ShardLoader(folder, 8, shuffle=True)
    batches = iter(first)
    for _ in range(done):
        next(batches)
    second = ShardLoader(folder, 8, shuffle=True)
    second.load_state_dict(first.state_dict())
    rest = [y.tolist() for _, y in second]
    assert rest == [y.tolist() for _, y in ShardLoader(folder, 8, shuffle=True)][done:]
    assert second.state_dict()["batch"] == len(second)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no shards"):
        ShardLoader(tmp_path / "nowhere", 8)
    with pytest.raises(UserError, match="of 103 rows in 13 batches, now it has 103 rows in 26"):
        ShardLoader(folder, 4).load_state_dict(ShardLoader(folder, 8).state_dict())
    (folder / "1-00004.npy").unlink()
    with pytest.raises(UserError, match=r"has no 1-00004\.npy: a shard is missing"):
        ShardLoader(folder, 8)


READ = """
import sys, time
from pathlib import Path
import torch
from datamodules.shards import ShardLoader
from scripts.evidence.benches.processes import peak_memory
torch.set_num_threads(1)
before, loader, seen = peak_memory(), ShardLoader(Path(sys.argv[1]), 256, shuffle=True), 0
for x, y in loader:
    seen += len(y)
print(seen, peak_memory() - before)
"""


@pytest.mark.slow  # two gigabytes are written
def test_two_gigabytes_take_less_than_300_megabytes(tmp_path: Path) -> None:
    rows = torch.randint(0, 256, (2048, 3 * 128 * 128), dtype=torch.uint8)  # 100 MB a shard
    for number in range(20):
        write_shards(tmp_path / "one", (rows, torch.arange(2048)), rows=2048)
        (tmp_path / "all").mkdir(exist_ok=True)
        for k in (0, 1):
            (tmp_path / f"one/{k}-00000.npy").rename(tmp_path / f"all/{k}-{number:05}.npy")
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    out = subprocess.run([sys.executable, "-c", READ, tmp_path / "all"], env=env, capture_output=True, text=True)
    seen, grown = out.stdout.split()
    assert int(seen) == 20 * 2048
    assert float(grown) < 300, out.stderr
