"""LoRA: no change at the start, few parameters, the same output when merged."""

import torch
from torch import nn

from lit_models.bert.encoder import Bert
from lit_models.layers.lora import LoRALinear, add_lora, merge_lora

TOKENS = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])


def encoder() -> Bert:
    torch.manual_seed(0)
    return Bert(20, 8, dropout=0.0, sep_id=3).double().eval()


def test_nothing_changes_at_the_start_and_only_the_small_matrices_are_trained() -> None:
    net = encoder()
    before = net(TOKENS)[0].detach()
    add_lora(net, 2, 16.0)
    net.double()
    torch.testing.assert_close(net(TOKENS)[0], before)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {
        f"encoder.layer.{i}.attention.self.{part}.lora_{x}" for i in (0, 1) for part in ("query", "value") for x in "ab"
    }
    assert set(encoder().state_dict()) <= set(net.state_dict())  # the names of published weights stay


def test_merged_network_has_the_same_output_and_no_small_matrices() -> None:
    net = encoder()
    add_lora(net, 2, 16.0)
    net.double()
    for module in net.modules():
        if isinstance(module, LoRALinear):
            nn.init.normal_(module.lora_b)
    expected = net(TOKENS)[0].detach()
    assert not torch.allclose(expected, encoder()(TOKENS)[0])
    assert merge_lora(net) == 4 and set(net.state_dict()) == set(encoder().state_dict())
    torch.testing.assert_close(net(TOKENS)[0], expected)


def test_change_is_alpha_by_rank_of_the_product() -> None:
    layer = LoRALinear(nn.Linear(3, 5), 2, 6.0)
    nn.init.normal_(layer.lora_b)
    x = torch.randn(4, 3)
    expected = x @ (layer.weight + 3.0 * layer.lora_b @ layer.lora_a).T + layer.bias
    torch.testing.assert_close(layer(x), expected)
