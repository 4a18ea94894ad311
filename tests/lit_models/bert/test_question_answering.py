"""BERT's question answering: the battery, padding, windows, answers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from datamodules.text.questions import Question, QuestionText
from lit_models.bert.question_answering import LitBertQA
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

D = 16


class TestLitBertQA(TaskBattery):
    parameters = (20 + 512 + 2 + 2) * D + 2 * (4 * (D * D + D) + 2 * 4 * D * D + 5 * D + 4 * D) + 2 * D + 2

    def model(self) -> LitBertQA:
        return LitBertQA(vocab_size=20, hidden_size=D, dropout=0.0, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, ...]:
        tokens = torch.randint(5, 20, (8, 9))
        tokens[:, 0], tokens[:, 3], tokens[:, 8] = 2, 3, 3
        return tokens, torch.arange(8), torch.tensor([[4, 5], [0, 0], [6, 6], [7, 7]] * 2)

    def outputs(self, model: LitBertQA, batch: tuple[Tensor, ...]) -> Tensor:
        return model(batch[0])

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        model(self.batch()[0]).square().sum().backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())


def test_padding_changes_neither_loss_nor_candidates() -> None:
    model, (tokens, window, span) = TestLitBertQA().model().eval(), TestLitBertQA().batch()
    wide = torch.nn.functional.pad(tokens, (0, 5))
    (loss, logits), (wide_loss, wide_logits) = model.mean_loss(tokens, span), model.mean_loss(wide, span)
    torch.testing.assert_close(loss, wide_loss)
    torch.testing.assert_close(model.candidates(tokens, window, logits), model.candidates(wide, window, wide_logits))


def test_a_candidate_is_in_the_passage() -> None:
    model, (tokens, window, _) = TestLitBertQA().model().eval(), TestLitBertQA().batch()
    found = model.candidates(tokens, window, model(tokens))
    places = found[:, 2:].unflatten(1, (-1, 3))[..., 1:]
    assert float(places.min()) >= 4 and float(places.max()) <= 7 and found[:, 0].tolist() == list(range(8))


class Asked(QuestionText):
    def read(self, stage: str) -> dict[str, list[Question]]:
        rows = [
            Question(str(i), "which", f"one two {'x ' * i} three", [("two", 4)] if i % 2 else []) for i in range(12)
        ]
        return {"train": rows, "val": rows, "test": rows} if stage != "predict" else {"predict": rows}


def test_questions_are_answered_over_their_windows(tmp_path: Path) -> None:
    data = Asked(vocab_size=60, seq_len=12, longest_question=2, stride=2, batch_size=4)
    model = LitBertQA(vocab_size=60, hidden_size=D, optimizer=ADAM, null_bias=-1e4)
    trainer = small_trainer(tmp_path)
    (found,) = trainer.test(model, data, verbose=False)
    assert {"test/exact", "test/f1", "test/loss"} <= set(found)
    rows = torch.cat(trainer.predict(model, data))  # type: ignore[arg-type]
    answers = model.answers("predict", rows)
    assert list(answers) == list(range(12)) and len(rows) > 12
    for asked, best in answers.items():
        assert best[0][0] in data.questions["predict"][asked].passage and best[0][0]
        assert sum(p for _, p in best) == pytest.approx(1, abs=1e-3)
