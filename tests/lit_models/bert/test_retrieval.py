"""Retrieval: what the reader may answer with, both losses, and the measures with each passage."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from datamodules.text.recorded_facts import RecordedFacts
from lit_models.bert.retrieval import LitRetrieval, RetrievalReader, same, span_tokens
from tests.battery import ADAM
from tests.small import small_trainer

SMALL: dict[str, Any] = {"vocab_size": 600, "hidden_size": 16, "num_layers": 1, "num_heads": 2, "init_std": 0.25}


def small_data() -> RecordedFacts:
    return RecordedFacts("[a]*.py", vocab_size=600, train_size=32, versions=1, batch_size=16)


def small_model() -> LitRetrieval:
    torch.manual_seed(0)
    return LitRetrieval(optimizer=ADAM, **SMALL)


def test_answers_are_in_the_passage_and_padding_changes_nothing() -> None:
    net = RetrievalReader(**SMALL).double().eval()
    questions, passages = (
        torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]]),
        torch.tensor([[2, 5, 6, 7, 3, 0], [2, 5, 9, 3, 0, 0]]),
    )
    logits = net(questions, passages)
    allowed = logits[..., 0] > torch.finfo(logits.dtype).min
    assert allowed.tolist() == [[False, True, True, True, False, False], [False, True, True, False, False, False]]
    wide = net(questions, F.pad(passages, (0, 2)))
    torch.testing.assert_close(wide[:, :6], logits)
    torch.testing.assert_close(net.vectors(F.pad(passages, (0, 2))), net.vectors(passages))


def test_spans_are_compared_to_the_letter() -> None:
    passages = torch.tensor([[2, 5, 6, 7, 3], [2, 5, 6, 8, 3]])
    found = span_tokens(passages, torch.tensor([[1, 2], [1, 2]]))
    assert found[0, :3].tolist() == [5, 6, 0] and same(found[:1], found[1:]).tolist() == [True]
    assert same(found, span_tokens(passages, torch.tensor([[1, 3], [1, 2]]))).tolist() == [False, True]


def test_training_lowers_both_losses_and_without_its_weight_the_retriever_stays(tmp_path: Path) -> None:
    for weight in (1.0, 0.0):
        data, model = small_data(), small_model()
        model.retriever_weight = weight
        data.setup("fit")
        before = model.net.retriever.embeddings.word_embeddings.weight.clone()
        trainer = small_trainer(tmp_path, max_epochs=4, limit_val_batches=0)
        trainer.fit(model, data)
        assert float(trainer.callback_metrics["train/loss"]) < (5.0 if weight else 4.0)
        assert torch.equal(before, model.net.retriever.embeddings.word_embeddings.weight) == (weight == 0)


def test_measures_are_those_of_each_question_alone(tmp_path: Path) -> None:
    model, data = small_model(), small_data()
    (found,) = small_trainer(tmp_path).test(model, data, verbose=False)
    questions, numbers, spans = data.splits["test"]
    passages = data.passages
    net = model.net.eval()
    with torch.no_grad():
        index = net.vectors(passages)
        near = [int((net.vectors(q[None].long()) @ index.T).argmax()) for q in questions]
    assert found["test/recall"] == pytest.approx(
        sum(a == b for a, b in zip(near, numbers.tolist(), strict=True)) / len(near)
    )
    right = 0
    for q, k, (first, last) in zip(questions, numbers.tolist(), spans.tolist(), strict=True):
        with torch.no_grad():
            start, end = net(q[None].long(), passages[k][None])[0].unbind(1)
        scores = {
            (i, j): float(start[i] + end[j]) for i in range(len(start)) for j in range(i, min(i + 16, len(start)))
        }
        a, b = max(scores, key=lambda place: scores[place])
        right += passages[k, a : b + 1].tolist() == passages[k, first : last + 1].tolist()
    assert found["test/exact_right"] == pytest.approx(right / len(questions))
    assert found["test/exact_none"] == 0.0
