"""What RNN, LSTM and GRU have in common as language models: the battery, and by hand equal to by torch."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lit_models.tasks.language_model import LanguageModel
from tests.battery import ADAM, LanguageModelBattery

SMALL: dict[str, Any] = {"vocab_size": 9, "hidden_size": 12, "embed_size": 5, "optimizer": ADAM}


class RecurrentBattery(LanguageModelBattery):
    """``kind`` is the model, ``gates`` how many matrices a layer has."""

    kind: ClassVar[Any]
    gates: ClassVar[int]
    overfit_loss = 0.3

    @property
    def parameters(self) -> int:  # type: ignore[override]
        return 9 * 5 + self.gates * 12 * (5 + 12 + 2) + 12 * 9 + 9

    def model(self) -> LanguageModel:
        model: LanguageModel = self.kind(implementation="hand", **SMALL)
        return model

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(28).reshape(4, 7) ** 2 % 9
        return text[:, :-1], text[:, 1:]

    def test_by_hand_and_by_torch_have_equal_logits(self) -> None:
        hand, fast = (self.kind(implementation=by, num_layers=2, **SMALL).double() for by in ("hand", "torch"))
        names = dict(fast.net.named_parameters())
        for name, p in hand.net.named_parameters():
            level, _, weight = name.removeprefix("body.layers.").partition(".")
            p.data.copy_(names[f"body.layers.{weight}_l{level}" if name.startswith("body") else name])
        tokens = torch.randint(9, (3, 5))
        torch.testing.assert_close(hand(tokens), fast(tokens))

    @pytest.mark.parametrize("by", ["hand", "torch"])
    def test_dropout_acts_in_training_alone(self, by: str) -> None:
        model, (tokens, _) = self.kind(implementation=by, dropout=0.5, **SMALL), self.batch()
        assert not torch.equal(model.train()(tokens), model(tokens))
        assert torch.equal(model.eval()(tokens), model(tokens))

    @pytest.mark.parametrize("by", ["hand", "torch"])
    def test_carried_in_two_pieces_equals_one(self, by: str) -> None:
        model = self.kind(implementation=by, carry_state=True, **SMALL).eval()
        tokens = torch.randint(9, (2, 8))
        pieces = [model.logits(tokens[:, :3], "val"), model.logits(tokens[:, 3:], "val")]
        torch.testing.assert_close(torch.cat(pieces, 1), model(tokens))
