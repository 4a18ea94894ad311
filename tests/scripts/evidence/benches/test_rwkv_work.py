"""Sides that compute something else are refused."""

import pytest
import torch

from scripts.evidence.benches import rwkv_work


def test_sides_that_differ_are_no_comparison() -> None:
    rwkv_work.same("x", torch.ones(3), torch.ones(3) + 1e-5)
    for wrong in (1.1, float("nan")):
        with pytest.raises(RuntimeError, match="x: the sides differ"):
            rwkv_work.same("x", torch.ones(3), torch.full((3,), wrong))
