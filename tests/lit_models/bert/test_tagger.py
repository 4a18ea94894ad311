"""BERT's tagger: the battery, ignored sub-words, span F1."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.bert.tagger import BertTagger, LitBertTagger
from tests.battery import ADAM, TaskBattery

D = 16


class TestLitBertTagger(TaskBattery):
    parameters = (20 + 512 + 2 + 2) * D + 2 * (4 * (D * D + D) + 2 * 4 * D * D + 5 * D + 4 * D) + 4 * D + 4

    def model(self) -> LitBertTagger:
        return LitBertTagger(vocab_size=20, num_classes=4, hidden_size=D, dropout=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(5, 20, (8, 6))
        tags = tokens % 4
        tags[:, 0] = -100
        return tokens, tags


def test_padding_changes_nothing() -> None:
    net = BertTagger(20, 4, hidden_size=D, pooling="none").eval()
    tokens = torch.randint(5, 20, (2, 5))
    torch.testing.assert_close(net(torch.nn.functional.pad(tokens, (0, 3)))[:, :5], net(tokens))


def test_a_sub_word_that_does_not_count_changes_no_score(tmp_path: Path) -> None:
    model, battery = TestLitBertTagger().model(), TestLitBertTagger()
    tokens, tags = battery.batch()
    tags[:, 3:] = -100
    guess = model.eval()(tokens).argmax(2)
    names = ["O", "B-x", "I-x", "B-y"]
    from lit_models.functional.spans import f1, span_counts

    counts = [
        span_counts([names[i] for i in t[1:3]], [names[i] for i in g[1:3]])
        for t, g in zip(tags.tolist(), guess.tolist(), strict=True)
    ]
    model.data_attribute = lambda name, default=None: names if name == "class_names" else default  # type: ignore[method-assign]
    (found,) = battery.trainer(tmp_path).test(model, DataLoader([(tokens, tags)], batch_size=None), verbose=False)
    assert found["test/f1"] == pytest.approx(f1(*map(sum, zip(*counts, strict=True))))
    assert found["test/acc"] == pytest.approx(float((guess[:, 1:3] == tags[:, 1:3]).float().mean()))


def test_a_batch_without_tags_counts_for_nothing() -> None:
    model, (tokens, tags) = TestLitBertTagger().model(), TestLitBertTagger().batch()
    model._evaluate((tokens, torch.full_like(tags, -100)), "val")
    assert not model.means["val_loss"].update_called
