"""The chimera: the battery, its parts, and that a detached one learns nothing in its own layers."""

import torch
from torch import Tensor

from lit_models.builders.chimera import Chimera, LitChimera
from lit_models.builders.custom_layers import Dense
from lit_models.builders.parameters import tied
from tests.battery import ADAM, ClassifierBattery


class TestLitChimera(ClassifierBattery):
    # 784-32: 25,120; 32-4 and 4-8: 132 + 40; 32-8: 264; 16-16 once: 272; the block's 16-16: 272; 16-10: 170
    parameters = 26_270
    overfit_steps = 300

    def model(self) -> LitChimera:
        return LitChimera(width=16, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


def test_the_shared_layer_is_counted_once_and_named_twice() -> None:
    assert tied(Chimera()) == [["blocks.4.weight", "blocks.5.weight"], ["blocks.4.bias", "blocks.5.bias"]]


def test_the_answer_to_a_sample_does_not_depend_on_its_neighbors() -> None:
    net, x = Chimera().double().eval(), 10 * torch.randn(5, 784, dtype=torch.float64)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


def test_detached_layers_get_no_gradient() -> None:
    net = Chimera(detached=True)
    net(torch.rand(3, 784)).sum().backward()
    own = [layer for layer in net.modules() if isinstance(layer, Dense)]
    assert len(own) == 5 and all(layer.weight.grad is None for layer in own)
    assert net.blocks[7].weight.grad is not None
