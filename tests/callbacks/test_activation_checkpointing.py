"""-c trainer/activation_checkpointing: the same weights, with less kept for the backward pass."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from callbacks.activation_checkpointing import ActivationCheckpointing, checkpointed, layers_of
from common.messages import UserError
from lit_models.attention.gpt import GPT, LitGPT
from scripts.cli import main
from scripts.front.costs import kept_for_backward
from tests.small import Points, SmallNet, small_trainer

SIZES: Any = {"vocab_size": 11, "seq_len": 16, "hidden_size": 32, "num_heads": 4, "num_layers": 4}
TOKENS = torch.randint(0, 11, (4, 17), generator=torch.Generator().manual_seed(0))


def test_weights_after_some_steps_are_the_same_to_the_last_bit(tmp_path: Path) -> None:
    """With dropout, which is drawn again."""
    found = []
    for callbacks in ([], [ActivationCheckpointing()]):
        torch.manual_seed(0)
        model = LitGPT(**SIZES, dropout=0.3)
        loader = DataLoader([(TOKENS[:, :-1], TOKENS[:, 1:])] * 3, batch_size=None)  # type: ignore[arg-type]
        small_trainer(tmp_path, *callbacks, max_epochs=1).fit(model, loader)
        found.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        assert not any("forward" in vars(layer) for layer in model.net.modules())
    assert torch.equal(*found)


def test_a_fraction_is_kept_for_the_backward_pass() -> None:
    net = GPT(**SIZES, dropout=0.0)
    plain = kept_for_backward(net, (TOKENS[:, :-1],))
    for layer in layers_of(net):
        checkpointed(layer)
    assert kept_for_backward(net, (TOKENS[:, :-1],)) < 0.35 * plain


def test_layers_with_batch_normalization_are_left_alone() -> None:
    assert len(list(layers_of(GPT(**SIZES)))) == 4
    block = nn.ModuleList([nn.Conv2d(1, 1, 3), nn.ReLU()])
    normalized = nn.ModuleList([nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)])
    assert list(layers_of(nn.ModuleDict({"blocks": nn.Sequential(Pair(block), Pair(normalized))}))) == [Pair.made[0]]


class Pair(nn.Module):
    """Two layers."""

    made: ClassVar[list[nn.Module]] = []

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.first, self.second = layers
        Pair.made.append(self)


def test_a_network_without_such_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SmallNet has no list of layers"):
        small_trainer(tmp_path, ActivationCheckpointing()).fit(SmallNet(), datamodule=Points())


def test_the_preset_trains() -> None:
    quick = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1", "--trainer.accelerator", "cpu"]
    words = ["attention/vit", "-c", "trainer/activation_checkpointing", "--data.batch_size", "4", *quick]
    assert main(["fit", *words]) == 0
