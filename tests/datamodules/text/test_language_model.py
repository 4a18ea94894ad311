"""Text for language models: one split, declared sizes, shifted targets, the values that a run keeps."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules import cache
from datamodules.text import language_model
from datamodules.text.language_model import LanguageModelData
from datamodules.text.tokenizers import TOKENIZERS
from datamodules.text.windows import StreamLoader, WindowLoader
from tests.small import small_trainer

TEXT = "the quick brown fox jumps over the lazy dog and runs away\n" * 40


class Lines(LanguageModelData):
    def texts(self) -> dict[str, str]:
        return {"train": TEXT, "val": TEXT[:300], "test": TEXT[:200] + "§"}


def test_targets_are_the_tokens_one_place_later() -> None:
    data = Lines(vocab_size=40, seq_len=8, batch_size=4)
    data.setup("fit")
    for loader in (data.train_dataloader(), data.val_dataloader()):
        tokens, targets = data.transform(next(iter(loader)))
        assert tokens.dtype == targets.dtype == torch.int64 and tokens.shape[1] == targets.shape[1] == 8
        assert torch.equal(tokens[:, 1:], targets[:, :-1])


def test_the_vocabulary_is_made_of_the_training_part() -> None:
    data = Lines(vocab_size=40, seq_len=8)
    data.setup("test")
    assert data.tokenizer is not None and data.corpus["test"][-1] == data.tokenizer.unk_id
    assert len(data.tokenizer) == 40


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_what_is_made_of_a_long_text_is_kept_for_the_next_start(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vocabulary by the training text and its settings, the tokens by their text and the vocabulary."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    plain = Lines(vocab_size=300, seq_len=8, tokenizer=kind)
    plain.setup("fit")
    monkeypatch.setattr(language_model, "KEPT_TEXT", 100)
    monkeypatch.setattr(cache, "WORTH", 0.0)
    for _ in range(2):
        data = Lines(vocab_size=300, seq_len=8, tokenizer=kind)
        data.setup("fit")
        assert data.tokenizer is not None and plain.tokenizer is not None
        assert data.tokenizer.saved() == plain.tokenizer.saved()
        assert all(torch.equal(ids, plain.corpus[name]) for name, ids in data.corpus.items())
        monkeypatch.setattr(TOKENIZERS[kind], "train", None)  # neither is made a second time
        monkeypatch.setattr(TOKENIZERS[kind], "encode_long", None)


def test_partition_decides_the_loader() -> None:
    kinds: dict[Any, type] = {"random": WindowLoader, "sequential": StreamLoader}
    for partition, kind in kinds.items():
        data = Lines(vocab_size=40, seq_len=8, batch_size=4, partition=partition)
        data.setup("fit")
        assert type(data.train_dataloader()) is kind


def test_streams_of_the_evaluation_follow_one_another() -> None:
    data = Lines(vocab_size=40, seq_len=8, batch_size=4, eval_batch_size=3, partition="sequential")
    data.setup("fit")
    batches = [data.transform(batch) for batch in data.val_dataloader()]
    for (_, targets), (tokens, _) in pairwise(batches):
        real = targets[:, -1] >= 0  # the last stream ends in padding
        assert torch.equal(targets[real, -1], tokens[real, 0])


def test_a_run_keeps_its_vocabulary() -> None:
    first, second = (Lines(vocab_size=40, seq_len=8) for _ in range(2))
    first.setup("fit")
    second.load_processor(first.processor())
    assert second.tokenizer is not None and second.tokenizer.tokens == first.tokenizer.tokens  # type: ignore[union-attr]


def test_another_size_than_the_models_is_refused() -> None:
    first = Lines(vocab_size=40, seq_len=8)
    first.setup("fit")
    second = Lines(vocab_size=41, seq_len=8)
    second.load_processor(first.processor())
    with pytest.raises(UserError, match="has 40 entries, but"):
        second.setup("test")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seq_len": 5000}, "has 2320 tokens, but needs 10000 for data.seq_len 5000"),
        ({"seq_len": 1200}, "has 2320 tokens, but needs 2400"),
        ({"seq_len": 2000, "stride": 400}, "needs 2400"),
        ({"seq_len": 64, "partition": "sequential", "batch_size": 64}, "in 64 streams"),
        ({"seq_len": 0}, "data.seq_len is 0"),
    ],
)
def test_a_text_that_is_too_short_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Lines(vocab_size=40, **settings).setup("fit")


@pytest.mark.parametrize("stride", [0, 1, 400])
def test_the_shortest_text_that_is_not_refused_has_a_window_for_training(stride: int) -> None:
    for tokens in range(2000, 2321, 40):
        data = Lines(vocab_size=40, seq_len=1100, stride=stride, train_tokens=tokens)
        try:
            data.setup("fit")
        except UserError:
            assert tokens < 1100 + (stride or 1100)
        else:
            assert len(data.train_dataloader()) >= 1


def test_baselines_are_perplexities_of_the_test_part() -> None:
    data = Lines(vocab_size=40, seq_len=8)
    data.setup("fit")
    found = data.baselines()
    assert found["baseline"]["metrics"]["test/perplexity"] < found["chance"]["metrics"]["test/perplexity"] < 40


def test_train_tokens_shortens_the_training_part_alone() -> None:
    data = Lines(vocab_size=40, seq_len=8, train_tokens=100)
    data.setup("fit")
    assert len(data.corpus["train"]) == 100 and len(data.corpus["val"]) == 300


def test_every_process_count_sees_the_whole_evaluation(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path)
    data = Lines(vocab_size=40, seq_len=8, eval_batch_size=4, partition="sequential")
    data.trainer = trainer
    data.setup("test")
    assert int((data.splits["test"][1] >= 0).sum()) == len(data.corpus["test"]) - 1


def test_predictions_go_through_the_test_part_from_beginning_to_end() -> None:
    data = Lines(vocab_size=40, seq_len=8, batch_size=4, partition="sequential", eval_streams=3)
    data.setup("predict")
    targets = [data.transform(batch)[1] for batch in data.predict_dataloader()]
    assert all(len(rows) == 1 for rows in targets)
    found = torch.cat(targets).flatten()
    assert torch.equal(found[found >= 0], data.corpus["test"][1:].long())
    assert data.predict_cells["text"][0] == TEXT[1:9]
