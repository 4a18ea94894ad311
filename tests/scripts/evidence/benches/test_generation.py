"""Generation: both sides generate the same text, and `matrices only` has all of the network's."""

import pytest
import torch
from torch import Tensor

from lit_models.layers.packed_linear import PackedLinear
from scripts.evidence.benches import generation


@pytest.mark.parametrize("case", generation.CASES)
def test_both_sides_write_the_same_text(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    for length in ("NEW", "BEAM_NEW"):
        monkeypatch.setattr(generation, length, 6)
    rows, sides = generation.CASES[case]
    ours, theirs = (side(rows) for side in sides.values())
    assert ours.shape == (rows, 6) and torch.equal(ours, theirs)


def test_the_matrices_alone_are_all_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(generation, "NEW", 2)
    read = []

    def forward(layer: PackedLinear, x: Tensor) -> None:
        assert x.shape == (3, 1, layer.in_features)
        read.append(layer.in_features * layer.out_features)

    monkeypatch.setattr(PackedLinear, "forward", forward)
    assert generation.matrices(3) == 6
    assert sum(read) == 2 * (6 * 12 * 256 * 256 + 1000 * 256)  # of each layer qkv, output, inner, outer; the head
