"""What all heads share: pooling, a frozen encoder, LoRA."""

from typing import Any

import torch

from lit_models.bert.encoder import mean_pooled
from lit_models.bert.heads import BertHead

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
