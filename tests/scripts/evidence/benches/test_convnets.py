"""Convolutional networks: torchvision's are our recipes', and every side trains and counts what it is asked for."""

import pytest
import torch

from scripts.evidence import bench
from scripts.evidence.benches import convnets
from scripts.evidence.benches.workloads import Clock


@pytest.mark.parametrize("name", convnets.NETWORKS)
def test_torchvisions_small_form_is_our_recipes_network(name: str) -> None:
    model, data = convnets.recipe(name)
    net = convnets.NETWORKS[name][1]()
    net.load_state_dict(model.net.state_dict())
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), net.eval()(x), rtol=1e-3, atol=1e-4)
    plain = {"momentum": 0, "nesterov": False, "weight_decay": 0, "fused": True, "lr": convnets.RATE}
    optimizer = model.optimizer(model.parameter_groups())
    assert all({key: group[key] for key in plain} == plain for group in optimizer.param_groups)
    assert data.batch_size == convnets.BATCH


@pytest.mark.slow
@pytest.mark.parametrize("side", [name for name in convnets.training_sides("vgg11") if name != "naive Lightning"])
def test_every_side_trains_the_steps_it_is_asked_for(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    clock = Clock(steps=1, warmup=1)
    with bench.quiet():
        convnets.training_sides("vgg11")[side](clock)
    assert (clock.count, clock.samples) == (2, 4)


@pytest.mark.slow
def test_so_do_the_sides_with_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    for side in (convnets.training_sides("vgg11")["naive Lightning"], convnets.augment_singly):
        clock = Clock(steps=1, warmup=1)
        with bench.quiet():
            side(clock)
        assert clock.count == 2 and clock.samples in (4, convnets.AUGMENTED_BATCH)


def test_augmentation_and_inference_count_their_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convnets, "BATCH", 4)
    cases = convnets.cases()
    for side, samples in ((cases["augmentation"][0]["ours"], 128), (cases["vgg11, inference"][0]["ours"], 4)):
        clock = Clock(steps=1, warmup=1)
        side(clock)
        assert (clock.count, clock.samples) == (2, samples)
