"""Instruction tuning: the battery, LoRA merged equal to unmerged, generation with its matrices."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_models.alignment.instruction import LitInstruction
from lit_models.layers.lora import LoRALinear, merge_lora
from tests.battery import ADAM, LanguageModelBattery
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 7, "seq_len": 6, "hidden_size": 16, "num_layers": 1, "num_heads": 2}


class TestLitInstruction(LanguageModelBattery):
    # embedding (tied), attention of four matrices, three of the feed-forward part, three norms
    parameters = 112 + 1024 + 3 * 16 * 64 + 48
    overfit_loss = 0.4  # the first token of a row says nothing about the row's second

    def model(self) -> LitInstruction:
        return LitInstruction(variant="llama", optimizer=ADAM, **SMALL)

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text, (text + 1) % 7


def tuned() -> Any:
    torch.manual_seed(0)
    net = LitInstruction(lora_rank=2, variant="llama", **SMALL).net.eval()
    for module in net.modules():
        if isinstance(module, LoRALinear):
            nn.init.normal_(module.lora_b)
    return net


def test_only_small_matrices_learn_and_merged_they_give_the_same() -> None:
    net, tokens = tuned(), torch.randint(7, (2, 6))
    learned = {name.rpartition(".")[2] for name, p in net.named_parameters() if p.requires_grad}
    assert learned == {"lora_a", "lora_b"}
    before = net(tokens)
    assert merge_lora(net) == 4
    torch.testing.assert_close(net(tokens), before)


def test_the_copy_for_decoding_has_them_and_the_network_keeps_them() -> None:
    net, tokens = tuned(), torch.randint(7, (2, 5))
    copy, state = net.for_decoding(), None
    parts = []
    for piece in tokens.split(1, 1):
        logits, state = copy.decode(piece, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), net(tokens))
    assert sum(isinstance(module, LoRALinear) for module in net.modules()) == 4


def test_small_matrices_are_put_beside_the_weights_of_a_run_without_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain, text = LitInstruction(variant="llama", **SMALL), torch.arange(12).view(2, 6) % 7
    rows: Any = [(text, text)]
    loader: Any = DataLoader(rows, batch_size=None)
    trainer = small_trainer(tmp_path)
    trainer.validate(plain, loader, verbose=False)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    lora = LitInstruction(variant="llama", lora_rank=2, weights=str(tmp_path / "a.ckpt"), **SMALL)
    small_trainer(tmp_path).validate(lora, loader, verbose=False)
    torch.testing.assert_close(lora.net(text), plain.net(text))
