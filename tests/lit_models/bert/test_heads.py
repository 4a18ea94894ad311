"""What all heads share: pooling, a frozen encoder, LoRA."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.text.entailment import Entailment
from lit_models.bert.classifier import LitBertClassifier
from lit_models.bert.encoder import mean_pooled
from lit_models.bert.heads import BertHead
from tests.battery import ADAM
from tests.small import small_trainer

TOKENS = torch.tensor([[2, 5, 6, 3, 7, 3], [2, 8, 3, 9, 3, 0]])


def head(**changes: Any) -> BertHead:
    torch.manual_seed(0)
    return BertHead(**({"vocab_size": 20, "num_classes": 3, "hidden_size": 16, "dropout": 0.0} | changes)).eval()


def test_a_texts_vector_is_pooled_as_asked() -> None:
    net = head(pooling="mean")
    states, first = net.bert(TOKENS)
    torch.testing.assert_close(net.features(TOKENS), mean_pooled(states, TOKENS != 0))
    assert net.bert.pooler is None and torch.equal(first, states[:, 0])
    assert head(pooling="none").features(TOKENS).shape == (2, 6, 16)
    net = head()
    torch.testing.assert_close(net.features(TOKENS), net.bert(TOKENS)[1])


def test_a_frozen_encoder_gets_no_gradient_and_lora_only_its_small_matrices() -> None:
    assert {n for n, p in head(frozen=True).named_parameters() if p.requires_grad} == {
        "classifier.weight",
        "classifier.bias",
    }
    trained = {n for n, p in head(lora_rank=2).named_parameters() if p.requires_grad}
    assert all("lora_" in name or name.startswith("classifier") for name in trained) and len(trained) == 2 + 2 * 2 * 2


def test_a_frozen_encoder_with_small_matrices_is_one_line() -> None:
    with pytest.raises(UserError, match=r"give --model\.frozen false for model\.lora_rank"):
        head(frozen=True, lora_rank=2)


def test_merged_small_matrices_are_gone() -> None:
    net = head(lora_rank=2)
    net.merge_lora()
    assert set(net.state_dict()) == set(head().state_dict())


def test_a_larger_initial_deviation_is_of_the_encoder() -> None:
    std = float(head(init_std=0.5).bert.embeddings.word_embeddings.weight[1:].std())
    assert 0.4 < std < 0.6


def test_positions_start_as_sinusoids_of_the_asked_deviation_if_asked() -> None:
    table = head(init_positions="sinusoids", init_std=0.5).bert.embeddings.position_embeddings.weight.detach()
    torch.testing.assert_close(table.square().mean(1).sqrt(), torch.full((512,), 0.5))
    shifted = (table[:-3] * table[3:]).sum(1)  # the same for all positions: a shift is a rotation
    torch.testing.assert_close(shifted, shifted[:1].expand_as(shifted))
    assert not torch.equal(table, head(init_std=0.5).bert.embeddings.position_embeddings.weight)


class Counting(torch.nn.Module):
    """An encoder that counts its texts."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert, self.pad_id, self.texts = bert, bert.pad_id, 0

    def forward(self, tokens: torch.Tensor) -> Any:
        self.texts += len(tokens)
        return self.bert(tokens)


def test_a_frozen_encoder_reads_each_text_once() -> None:
    net = head(frozen=True, pooling="mean")
    expected = net.features(TOKENS)
    net.bert = Counting(net.bert)  # type: ignore[assignment]
    net.know(torch.nn.functional.pad(TOKENS, (0, 3)).int())
    for rows in (TOKENS, TOKENS.flip(0), TOKENS[1:, :5]):
        net.features(rows)
    assert net.bert.texts == 2  # type: ignore[comparison-overlap]
    torch.testing.assert_close(net.features(TOKENS.flip(0)), expected.flip(0))
    torch.testing.assert_close(net.features(TOKENS[1:, :5]), expected[1:])
    other = torch.tensor([[2, 9, 3, 0, 0, 0]])
    net.features(torch.cat([TOKENS, other]))
    assert net.bert.texts == 5  # type: ignore[comparison-overlap]  # one is not known: the batch is computed


def test_texts_are_known_while_a_frozen_run_trains_and_the_result_is_the_same(tmp_path: Path) -> None:
    weights = []
    for limit in (1.0, 2):  # two batches are all there are, but a limited run knows nothing
        torch.manual_seed(0)
        model = LitBertClassifier(
            vocab_size=300, num_classes=3, hidden_size=16, dropout=0.1, frozen=True, pooling="mean", optimizer=ADAM
        )
        data = Entailment(train_size=32, val_size=8, test_size=8, batch_size=16)
        small_trainer(tmp_path, max_epochs=3, limit_train_batches=limit).fit(model, datamodule=data)
        assert (model.net.known is not None) == (limit == 1.0)
        if model.net.known is not None:  # computed without dropout, though Lightning does not call `train`
            rows = data.splits["val"][0].long()
            torch.testing.assert_close(model.net.known.find(rows), model.net.eval()._features(rows))
        weights.append(model.net.classifier.weight.detach())
    torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-4)
