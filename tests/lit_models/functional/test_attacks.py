"""Attacks stay within their budget and raise the loss, more steps by more."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.cnn.lenet import LeNet
from lit_models.functional.attacks import fgsm, pgd


def test_attacks_stay_in_budget_and_range_and_raise_the_loss() -> None:
    net, x, y = LeNet(activation="relu", pooling="max").eval(), torch.rand(8, 1, 28, 28), torch.arange(8)

    def losses(inputs: Tensor) -> Tensor:
        return F.cross_entropy(net(inputs), y, reduction="none")

    one, many = fgsm(losses, x, 0.1), pgd(losses, x, 0.1, 0.02, 20)
    for changed in (one, many, pgd(losses, x, 0.1, 0.3, 3, start=5 * torch.rand_like(x))):
        assert float((changed - x).abs().max()) <= 0.1 + 1e-6 and 0 <= float(changed.min()) <= float(changed.max()) <= 1
        assert bool((losses(changed) > losses(x)).all())
    assert float(losses(many).mean()) > float(losses(one).mean())
    assert all(p.grad is None for p in net.parameters())
