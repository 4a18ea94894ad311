"""BERT's classifier: the battery, padding, pairs, a frozen encoder, LoRA, published weights."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_models.bert.classifier import BertClassifier, LitBertClassifier
from lit_models.bert.encoder import Bert
from lit_models.layers.pretrained import load_weights
from scripts.verbs.export import load_network, save_network
from tests.battery import ADAM, ClassifierBattery
from tests.lit_models.bert.test_weights import save

D = 16


class TestLitBertClassifier(ClassifierBattery):
    parameters = (20 + 512 + 2 + 2) * D + 2 * (4 * (D * D + D) + 2 * 4 * D * D + 5 * D + 4 * D) + D * D + D + 8 * D + 8

    def model(self) -> LitBertClassifier:
        return LitBertClassifier(vocab_size=20, num_classes=8, hidden_size=D, dropout=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(5, 20, (8, 9))
        tokens[:, 0], tokens[:, 4], tokens[:, 8] = 2, 3, 3
        return tokens, torch.arange(8)


def net(**changes: Any) -> BertClassifier:
    torch.manual_seed(0)
    return BertClassifier(**({"vocab_size": 20, "num_classes": 3, "hidden_size": D} | changes))


TOKENS = torch.tensor([[2, 5, 6, 3, 7, 3], [2, 8, 3, 9, 3, 0]])


def test_padding_changes_nothing_in_either_pooling() -> None:
    for pooling in ("cls", "mean"):
        model = net(pooling=pooling).eval()
        torch.testing.assert_close(model(torch.nn.functional.pad(TOKENS, (0, 4))), model(TOKENS))


def test_a_frozen_encoder_stays_and_has_no_dropout() -> None:
    model = net(frozen=True, dropout=0.5).train()
    torch.testing.assert_close(model.bert(TOKENS)[0], model.bert(TOKENS)[0])
    model(TOKENS).sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_lora_is_merged_on_export(tmp_path: Path) -> None:
    model = LitBertClassifier(vocab_size=20, num_classes=3, hidden_size=D, lora_rank=2).eval()
    inner: Any = model.net
    torch.nn.init.normal_(inner.bert.encoder.layer[0].attention.self.query.lora_b)
    expected = model(TOKENS).detach()
    inner.merge_lora()
    model.hparams["lora_rank"] = 0
    save_network(model, tmp_path / "m.safetensors")
    again = load_network(tmp_path / "m.safetensors")
    torch.testing.assert_close(again(TOKENS), expected)
    assert not [name for name in again.state_dict() if "lora" in name]


def test_published_weights_fit_with_lora_and_without_a_pooler(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = Bert(20, D, sep_id=3)
    path = save(tmp_path, source.state_dict())
    for model in (net(lora_rank=2), net(pooling="mean"), net()):
        load_weights(model, path)
        weight = model.bert.encoder.layer[1].output.dense.weight  # type: ignore[union-attr]
        assert torch.equal(weight, source.encoder.layer[1].output.dense.weight)  # type: ignore[union-attr,arg-type]
