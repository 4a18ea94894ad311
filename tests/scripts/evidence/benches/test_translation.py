"""The transformer's two sides: the same network, samples and settings."""

import pytest
import torch

from lit_models.attention.transformer import Transformer
from scripts.evidence import bench
from scripts.evidence.benches import translation
from scripts.evidence.benches.workloads import Clock
from scripts.front.build import build


@pytest.mark.parametrize("side", ["bare", "ours"])
def test_both_sides_train_the_same_transformer_on_the_same_samples(side: str) -> None:
    torch.manual_seed(0)
    clock = Clock(steps=3, warmup=1)
    with bench.quiet():
        net = translation.SIDES[side](clock)
    assert (clock.count, clock.samples) == (4, 3 * translation.BATCH)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in Transformer(200, 200).parameters())
    assert 4 < translation.final_loss(net) < 6  # chance is log 196 = 5.3


@pytest.mark.slow
@pytest.mark.parametrize("side", ["bare", "ours"])
def test_each_turn_trains_from_a_seed_of_its_own(side: str) -> None:
    losses = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        with bench.quiet():
            losses.append(translation.final_loss(translation.SIDES[side](Clock(steps=1, warmup=1))))
    assert losses[0] != losses[1] == losses[2]


def test_the_bare_transformer_has_the_recipes_settings() -> None:
    _, model, data = build([translation.RECIPE, "--data", "scripts.evidence.benches.translation.Copies"])
    optimizer = model.configure_optimizers()
    assert optimizer.param_groups[0]["lr"] == translation.RATE and optimizer.param_groups[0]["fused"]
    assert data is not None and vars(data)["batch_size"] == translation.BATCH
    assert model.net.dropout.p == Transformer(9, 9).dropout.p and len(model.net.encoder) == 2
