"""tokens.png: the influence is that of taking a token away, padding has none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from callbacks.pictures import token_influence as module
from callbacks.pictures.token_influence import TokenInfluence, draw_tokens, token_influence
from lit_models.text.text_cnn import LitTextCNN
from tests.datamodules.text.test_labeled_text import Few
from tests.small import Points, SmallNet, small_trainer


class Sum(nn.Module):
    """Logits that are sums over tokens: influence is known exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.tensor([[0.0, 0.0], [3.0, 1.0], [-1.0, 2.0], [0.5, 0.0]]))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens).sum(1)


def test_influence_in_a_linear_network_is_what_each_token_adds() -> None:
    influence, logits = token_influence(Sum(), torch.tensor([[1, 2, 3, 0], [2, 2, 0, 0]]))
    assert logits.tolist() == [[2.5, 3.0], [-2.0, 4.0]]
    assert influence.tolist() == [[1.0, 2.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0]]  # of the second class in both


def test_texts_are_drawn_in_a_test_without_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(module, "draw_tokens", lambda rows: seen.extend(rows) or draw_tokens(rows))
    data, model = Few(), LitTextCNN(vocab_size=10, num_classes=2, seq_len=5, embed_size=4, num_channels=3)
    data.class_names = ["bad", "good"]
    data.setup("fit")
    small_trainer(tmp_path, TokenInfluence()).test(model, datamodule=data, verbose=False)
    assert [tokens for tokens, _, _ in seen] == [["<unk>"], ["good"]]
    assert (tmp_path / "tokens.png").stat().st_size > 1000
    assert all(p.grad is None for p in model.parameters())


def test_data_without_a_vocabulary_draws_nothing(tmp_path: Path) -> None:
    small_trainer(tmp_path, TokenInfluence()).test(SmallNet(), datamodule=Points(), verbose=False)
    assert not list(tmp_path.glob("*.png"))
