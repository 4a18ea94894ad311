"""The classifier of sentences: the battery, what a sentence's logit is, the oracle's labels, choices."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.summaries.planted_extracts import PlantedExtracts
from lit_models.functional.rouge import corpus_rouge
from lit_models.summarization.extractive import ExtractiveBert, LitExtractive
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

D = 16
SIZES: dict[str, Any] = {"vocab_size": 20, "hidden_size": D, "dropout": 0.0, "optimizer": ADAM}


class TestLitExtractive(TaskBattery):
    parameters = (20 + 512 + 2 + 2) * D + 2 * (4 * (D * D + D) + 2 * 4 * D * D + 5 * D + 4 * D) + D + 1

    def model(self) -> LitExtractive:
        return LitExtractive(**SIZES)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Eight documents of two sentences of two words: those with an even word belong to the summary."""
        words = torch.randint(5, 20, (8, 2, 2))
        ends = torch.tensor([2, 3]).expand(8, 2, 2)
        tokens = torch.cat([ends[..., :1], words, ends[..., 1:]], 2).flatten(1)
        return tokens, (words[..., 0] % 2 == 0).float()


def test_sentences_begin_at_the_first_token_and_behind_each_separator() -> None:
    net = ExtractiveBert(20, 1, hidden_size=D, pooling="none")
    tokens = torch.tensor([[2, 7, 3, 2, 8, 9, 3, 0], [2, 5, 3, 0, 0, 0, 0, 0]])
    assert net.begins(tokens).nonzero().tolist() == [[0, 0], [0, 3], [1, 0]]


def test_the_segments_of_sentences_alternate() -> None:
    net = ExtractiveBert(20, 1, hidden_size=D, pooling="none")
    seen: list[Tensor] = []
    net.bert.embeddings.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    net(torch.tensor([[2, 7, 3, 2, 8, 3, 2, 9, 3, 2, 9, 3, 0]]))
    assert seen[0].tolist() == [[0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0]]


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_padding_changes_nothing_and_a_mean_is_of_the_own_sentence(pooling: Any) -> None:
    net = ExtractiveBert(20, 1, hidden_size=D, pooling=pooling).eval()
    tokens = torch.tensor([[2, 7, 3, 2, 8, 9, 3], [2, 5, 6, 7, 8, 9, 3]])
    logits = net(tokens)
    torch.testing.assert_close(net(torch.nn.functional.pad(tokens, (0, 3)))[:, :7], logits)
    if pooling == "mean":
        torch.testing.assert_close(logits[0, :3], logits[0, :1].expand(3))
        assert not torch.isclose(logits[0, 3], logits[0, 0])


def test_the_vectors_of_known_documents_are_kept_by_sentence_and_are_the_same() -> None:
    net = ExtractiveBert(20, 1, hidden_size=D, pooling="mean", frozen=True).eval()
    tokens = torch.tensor([[2, 7, 3, 2, 8, 9, 3, 0], [2, 5, 3, 0, 0, 0, 0, 0], [2, 5, 3, 2, 6, 3, 2, 9]])
    logits, begins = net(tokens), net.begins(tokens)
    net.know(tokens.int())
    assert net.known is not None and net.known.vectors.shape == (3, 3, D)
    torch.testing.assert_close(net(tokens)[begins], logits[begins])
    net.known.vectors += 1.0  # they are what the layer gets
    assert not torch.isclose(net(tokens)[begins], logits[begins]).any()


def small_data() -> PlantedExtracts:
    return PlantedExtracts(train_size=24, val_size=8, test_size=12, vocab_size=900, batch_size=8)


def test_the_oracle_chooses_the_sentences_of_the_summary(tmp_path: Path) -> None:
    data, model = small_data(), LitExtractive(**SIZES | {"vocab_size": 900}, max_sentences=4)
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    summaries = [summary for (summary,) in data.reference_sets["test"]]
    documents = model.documents("test")
    wanted = [sentence in summary for text, summary in zip(documents, summaries, strict=True) for sentence in text]
    assert model.oracle("test").tolist() == [float(w) for w in wanted] and 0 < sum(wanted) < len(wanted)
    assert found["test/oracle_r1"] == pytest.approx(100)
    guess, oracle = torch.zeros(len(wanted)), model.oracle("test")
    for start, chosen in model.chosen:
        guess[[start + i for i in chosen]] = 1
    assert found["test/f1"] == pytest.approx(float(2 * (guess * oracle).sum() / (guess + oracle).sum()))
    first = [" ".join(text[:4]) for text in documents]
    expected = corpus_rouge(first, [[summary] for summary in summaries])
    assert {name: found[f"test/lead_{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert 0 < found["test/textrank_r2"] < 100 and 0 < found["test/r1"] < 100


def test_batches_find_their_labels_by_the_number_of_their_first_sentence(tmp_path: Path) -> None:
    data, model = small_data(), LitExtractive(**SIZES | {"vocab_size": 900}, max_sentences=4)
    small_trainer(tmp_path).validate(model, datamodule=data, verbose=False)
    tokens, first = data.transform(data.splits["val"])
    order = torch.tensor([3, 0, 7])
    every = model.targets(model(tokens), tokens, first, "val")[1]
    counts = model.net.begins(tokens).sum(1).tolist()  # type: ignore[operator]
    some = model.targets(model(tokens[order]), tokens[order], first[order], "val")[1]
    assert torch.equal(some, torch.cat([every.split(counts)[i] for i in order.tolist()]))


def test_a_summary_has_the_probable_sentences_at_most_so_many_and_at_least_one() -> None:
    model = LitExtractive(**SIZES, max_sentences=2).eval()
    tokens = torch.tensor([[2, 7, 3, 2, 8, 3, 2, 9, 3]])
    for logits, chosen in (([1.0, 3.0, 2.0], [1, 2]), ([-3.0, -2.0, -1.0], [2]), ([2.0, -0.3, -1.0], [0])):
        at = torch.zeros(1, 9)
        at[0, [0, 3, 6]] = torch.tensor(logits)
        model.forward = lambda *_, at=at: at  # type: ignore[method-assign]
        assert model.choose(tokens)[1] == [chosen]
        numbers = model.predict_step((tokens, torch.tensor([5])), 0)["target"].tolist()
        assert numbers == [[5 + i for i in chosen] + [-1] * (2 - len(chosen))]


def test_prompts_are_summarized_in_three_ways() -> None:
    data, model = small_data(), LitExtractive(**SIZES | {"vocab_size": 900}, max_sentences=2).eval()
    data.setup("fit")
    text = "Fish swim. The capital of Kenya is Nairobi. Kenya has a capital. Nairobi, the capital, is large."
    outputs = {m: next(model.generate(data, [text], method=m)).text for m in ("network", "lead", "textrank")}
    assert outputs["lead"] == "Fish swim. The capital of Kenya is Nairobi.\n"
    assert outputs["textrank"] == "The capital of Kenya is Nairobi. Nairobi, the capital, is large.\n"
    assert outputs["network"].strip() and outputs["network"].strip()[:4] in text
    assert next(model.generate(data, [text], method="lead", sentences=1)).text == "Fish swim.\n"
    with pytest.raises(UserError, match="what is to be summarized"):
        list(model.generate(data, [" "]))
