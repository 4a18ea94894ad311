"""Sums over processes made of single messages: equal to the library's, with the bytes and steps of the formulas."""

from pathlib import Path

import pytest
import torch

from lit_models.parallel.all_reduce import ALGORITHMS, bytes_through
from tests.distributed.collectives import SIZES, derivatives, half_batch_gradients, overlap, sums
from tests.distributed.group import together

STEPS = {  # of the process that makes the most, in all: naive's first process, tree's root, anyone in a ring
    "naive": {2: 2, 3: 2, 4: 2},
    "tree": {2: 2, 3: 4, 4: 4},
    "ring": {2: 2, 3: 4, 4: 6},
}


@pytest.mark.parametrize("world", [2, 3, 4])
def test_sums_are_the_librarys_and_the_same_in_all_processes(world: int, tmp_path: Path) -> None:
    found = together(sums, world=world, folder=tmp_path)
    for name in ALGORITHMS:
        for size in SIZES:
            assert all(torch.equal(ranks[f"{name} {size}"], found[0][f"{name} {size}"]) for ranks in found)
            assert max(ranks[f"{name} {size} error"] for ranks in found) < 1e-12
        sent, steps = zip(*(ranks[f"{name} 60 sent"] for ranks in found), strict=True)
        assert max(sent) == bytes_through(name, 60 * 8, world)  # type: ignore[arg-type]
        assert max(steps) == STEPS[name][world]


@pytest.mark.parametrize("world", [2, 3])
def test_each_average_is_ddps_and_the_global_batchs(world: int, tmp_path: Path) -> None:
    for found in together(half_batch_gradients, world=world, folder=tmp_path):
        assert found.pop("none") > 1e-3  # what each process has by itself is not
        assert max(found.values()) < 1e-12, found


def test_buckets_are_averaged_while_earlier_layers_are_computed(tmp_path: Path) -> None:
    for log in together(overlap, folder=tmp_path):
        assert log.index("averaged 1") < log.index("ready 3")
        assert [line for line in log if line.startswith("averaged")] == [f"averaged {k}" for k in range(4)]


@pytest.mark.parametrize("world", [2, 3])
def test_derivatives_of_what_is_gathered_and_handed_out_are_the_sums(world: int, tmp_path: Path) -> None:
    for found in together(derivatives, world=world, folder=tmp_path):
        assert max(difference for pair in found.values() for difference in pair) < 1e-12, found
