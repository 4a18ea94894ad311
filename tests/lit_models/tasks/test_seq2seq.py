"""The sequence-to-sequence task with a network small enough for any test."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from datamodules.parallel_text.toy import Toy
from lit_models.tasks.seq2seq import Seq2Seq
from tests.battery import ADAM, Seq2SeqBattery
from tests.small import small_trainer


class SmallPair(nn.Module):
    """The mean of the source's real embeddings begins a GRU."""

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(9, size), nn.Embedding(9, size)
        self.gru, self.head = nn.GRU(size, size, batch_first=True), nn.Linear(size, 9)

    def encode(self, source: Tensor, source_length: Tensor) -> Tensor:
        place = torch.arange(source.shape[1], device=source.device)
        mask = (place < source_length[:, None])[..., None]
        weight = 1 / (1 + place.to(self.head.weight.dtype))[:, None]  # the order matters
        return (self.source(source) * mask * weight).sum(1)

    def decode(self, target_in: Tensor, memory: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        y, h = self.gru(self.target(target_in), (memory if state is None else state)[None].contiguous())
        return self.head(y), h[0]

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self.decode(target_in, self.encode(source, source_length), None)[0]


class SmallSeq2Seq(Seq2Seq):
    def __init__(self, **task: Any) -> None:
        task.setdefault("optimizer", ADAM)
        super().__init__(**{"max_length": 8} | task)
        self.net = SmallPair()


def small_batch() -> tuple[Tensor, ...]:
    """Four sources of 2 to 5 tokens, padded, and their targets."""
    source = torch.tensor([[4, 5, 2, 0, 0], [6, 2, 0, 0, 0], [7, 8, 4, 5, 2], [5, 4, 6, 2, 0]])
    target_in = torch.tensor([[1, 5, 4, 0], [1, 6, 0, 0], [1, 5, 4, 8], [1, 6, 4, 5]])
    target_out = torch.tensor([[5, 4, 2, 0], [6, 2, 0, 0], [5, 4, 8, 2], [6, 4, 5, 2]])
    return source, (source != 0).sum(1), target_in, target_out


class TestSmallSeq2Seq(Seq2SeqBattery):
    parameters = 2 * 9 * 16 + 2 * (16 * 48 + 48) + 16 * 9 + 9

    def model(self) -> SmallSeq2Seq:
        return SmallSeq2Seq()

    def batch(self) -> tuple[Tensor, ...]:
        return small_batch()


def test_loss_is_the_mean_over_real_tokens() -> None:
    model, batch = SmallSeq2Seq().eval(), small_batch()
    logits, target = model(*batch[:3]), batch[3]
    real = target != 0
    by_hand = -logits.log_softmax(2)[real].gather(1, target[real][:, None]).mean()
    loss, count = model.mean_loss(batch)
    torch.testing.assert_close(loss, by_hand)
    assert count == 13


def test_output_ends_and_is_padded_after_its_end() -> None:
    model = SmallSeq2Seq().eval()
    for beam_width in (1, 3):
        model.beam_width = beam_width
        for row in model.generate_tokens(*small_batch()[:2], 20).tolist():
            after = row[row.index(2) + 1 :] if 2 in row else []
            assert not any(after)


def test_a_wider_beam_finds_outputs_of_a_better_score() -> None:
    model = SmallSeq2Seq().eval()
    source, length, *_ = small_batch()
    scores = [[best[0].score for best in model.hypotheses(source, length, width, 1, 6)] for width in (1, 6)]
    assert all(wide >= narrow - 1e-9 for narrow, wide in zip(*scores, strict=True))
    n_best = model.hypotheses(source, length, 6, 4, 6)[0]
    assert len({tuple(h.tokens) for h in n_best}) == 4


def test_bleu_and_exactness_are_measured_on_the_datas_texts(tmp_path: Path) -> None:
    data = Toy("copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=10, batch_size=4,
               source_vocab_size=9, target_vocab_size=9)  # fmt: skip
    trainer, model = small_trainer(tmp_path), SmallSeq2Seq()
    trainer.test(model, datamodule=data, verbose=False)
    assert [reference for _, reference, _ in model.generated] == data.references["test"]

    class Perfect(SmallSeq2Seq):
        def generate_tokens(self, source: Tensor, source_length: Tensor, max_length: int = 0) -> Tensor:
            return source  # of the copy task

    (found,) = trainer.test(Perfect(), datamodule=data, verbose=False)
    assert found["test/exact"] == 1.0


def test_parts_of_a_split_have_scores_of_their_own_and_marks_are_judged_apart(tmp_path: Path) -> None:
    data = Toy("copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=10, batch_size=4,
               source_vocab_size=9, target_vocab_size=9)  # fmt: skip
    data.subsets = {"test": {"odd": [k % 2 == 1 for k in range(10)], "none": [False] * 10}}  # type: ignore[attr-defined]

    class Odd(SmallSeq2Seq):
        """Right in the odd rows, and in the others but for a mark."""

        def texts(self, ids: Tensor) -> list[str]:
            done = len(self.generated)
            return ["á á" if k % 2 else "a á" for k in range(done, done + len(ids))]

    data.setup("test")
    data.references["test"] = ["á á"] * 10
    (found,) = small_trainer(tmp_path).test(Odd(), datamodule=data, verbose=False)
    assert found["test/exact_odd"] == 1.0 and "test/exact_none" not in found
    assert found["test/chrf_unmarked"] == pytest.approx(100) and found["test/chrf"] < 100
    assert found["test/exact"] == 0.5 and found["test/mark_errors"] == pytest.approx(1 / 4)


def test_prediction_has_one_width_for_all_batches() -> None:
    found = SmallSeq2Seq().eval().predict_step(small_batch()[:2], 0)
    assert found["target"].shape == (4, 8)


def test_label_smoothing_is_of_real_tokens_and_in_training_alone(tmp_path: Path) -> None:
    model, batch = SmallSeq2Seq(label_smoothing=0.3, optimizer=partial(torch.optim.SGD, lr=0.0)), small_batch()
    trainer = small_trainer(tmp_path, max_steps=1)
    trainer.fit(model, *(DataLoader([batch], batch_size=None) for _ in range(2)))  # type: ignore[arg-type]
    log_p = model.eval()(*batch[:3]).log_softmax(2)[batch[3] != 0]  # (13, V)
    true = -log_p.gather(1, batch[3][batch[3] != 0][:, None]).mean()
    smooth = 0.7 * true - 0.3 * log_p.mean()  # 0.3 of the target lies evenly on all V tokens
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(float(smooth), rel=1e-5)
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(float(true), rel=1e-5)


def test_nothing_is_generated_for_an_empty_source() -> None:
    model = SmallSeq2Seq().eval()
    source, length = torch.tensor([[2, 0, 0], [4, 5, 2]]), torch.tensor([1, 3])
    target = model.predict_step((source, length), 0)["target"]
    assert not target[0].any() and torch.equal(
        target[1, :8], model.predict_step((source[1:], length[1:]), 0)["target"][0]
    )
    assert model.generate_tokens(source, length)[0].any()  # it would be invented


@pytest.mark.parametrize("beam", [1, 2])
def test_an_empty_prompt_stays_empty(beam: int) -> None:
    sizes = {"source_vocab_size": 9, "target_vocab_size": 9, "train_size": 40, "val_size": 4, "test_size": 4}
    data = Toy(task="copy", symbols=5, longest=4, min_length=1, max_length=8, **sizes)
    data.setup("fit")
    outputs = [output.text for output in SmallSeq2Seq().eval().generate(data, ["", "a"], beam=beam)]
    assert outputs[0] in (" => \n", " =>\n") and len(outputs[1]) > 6


class Scripted(nn.Module):
    """Prefers, in each row, the tokens of a script; the beginning of a text above all."""

    def __init__(self, script: list[list[int]]) -> None:
        super().__init__()
        self.script = torch.tensor(script)
        self.weight = nn.Parameter(torch.zeros(1))

    def encode(self, source: Tensor, source_length: Tensor) -> Tensor:
        return source

    def decode(self, target_in: Tensor, memory: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        place = torch.zeros(len(memory), dtype=torch.long) if state is None else state
        wanted = self.script[torch.arange(len(memory)), place.clamp(max=self.script.shape[1] - 1)]
        logits = nn.functional.one_hot(wanted, 9).float() * 5
        logits[:, 1] = 50.0  # <bos>
        logits[:, 0] = 40.0  # <pad>
        return logits[:, None], place + 1


def test_an_output_keeps_its_end_and_nothing_behind_it_and_no_padding_or_beginning_is_chosen() -> None:
    model = SmallSeq2Seq()
    model.net = Scripted([[5, 2, 6, 7], [5, 6, 7, 2]])
    ids = model.generate_tokens(torch.ones(2, 3, dtype=torch.long), torch.tensor([3, 3]), 4)
    assert ids.tolist() == [[5, 2, 0, 0], [5, 6, 7, 2]]


def test_scores_of_a_beam_are_divided_by_the_length_to_the_models_power() -> None:
    source, length, *_ = small_batch()
    found = {}
    for power in (0.0, 2.0):
        torch.manual_seed(0)
        model = SmallSeq2Seq(length_penalty=power).eval()
        (found[power],) = model.hypotheses(source[:1], length[:1], 1, 1, 6)
    plain, divided = found[0.0][0], found[2.0][0]
    assert plain.tokens == divided.tokens and len(plain.tokens) > 1
    assert divided.score == pytest.approx(plain.score / len(plain.tokens) ** 2)


def test_references_go_on_from_batch_to_batch_and_each_test_begins_anew(tmp_path: Path) -> None:
    data = Toy("copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=10, batch_size=4,
               eval_batch_size=4, source_vocab_size=9, target_vocab_size=9)  # fmt: skip
    trainer, model = small_trainer(tmp_path), SmallSeq2Seq()
    for _ in range(2):
        trainer.test(model, datamodule=data, verbose=False)
        assert [reference for _, reference, _ in model.generated] == data.references["test"]


def test_no_output_is_longer_than_the_model_allows() -> None:
    data = Toy("copy", symbols=5, min_length=2, longest=3, train_size=20, val_size=5, test_size=10, batch_size=4,
               source_vocab_size=9, target_vocab_size=9)  # fmt: skip
    data.setup("test")
    model = SmallSeq2Seq(max_length=3)
    asked: list[int] = []
    model.generate_tokens = lambda source, length, most=0: asked.append(most) or source  # type: ignore[method-assign,func-returns-value]
    for most in (200, 2):
        list(model.generate(data, [data.sources["test"][0]], max_tokens=most))
    assert asked == [3, 2]
