"""The reference: the start, frozen, in evaluation mode whatever the policy does, and saved with the run."""

from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from lit_models.alignment.dpo import LitDPO
from tests.battery import ADAM
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 7, "seq_len": 6, "hidden_size": 8, "num_layers": 1, "num_heads": 2}


def batch() -> tuple[torch.Tensor, ...]:
    tokens = torch.arange(12).view(2, 6) % 7
    return tokens, (tokens + 1) % 7, tokens, (tokens + 2) % 7


def test_the_reference_has_no_dropout_and_no_gradients_while_the_policy_trains() -> None:
    model = LitDPO(dropout=0.5, **SMALL).train()
    assert model.net.training and not any(module.training for module in model.reference.modules())
    tokens, targets = batch()[:2]
    assert torch.equal(*(model.log_probs(tokens, targets, reference=True) for _ in range(2)))
    assert not torch.equal(*(model.log_probs(tokens, targets) for _ in range(2)))
    assert not any(parameter.requires_grad for parameter in model.reference.parameters())


def test_the_policy_moves_from_the_start_and_the_reference_stays_and_is_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LitDPO(optimizer=ADAM, **SMALL)
    start = {name: value.clone() for name, value in model.net.state_dict().items()}
    trainer = small_trainer(tmp_path, max_steps=3)
    trainer.fit(model, DataLoader([batch()], batch_size=None))  # type: ignore[arg-type]
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitDPO.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert all(torch.equal(value, again.reference.state_dict()[name]) for name, value in start.items())
    assert all(torch.equal(v, again.net.state_dict()[name]) for name, v in model.net.state_dict().items())
    assert not all(torch.equal(value, again.net.state_dict()[name]) for name, value in start.items())
