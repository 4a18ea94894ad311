"""Pairs of texts as padded tensors, and back."""

import unicodedata
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.parallel_text.parallel_text import BOS, EOS, PAD, Pairs, ParallelText, padded, random_splits

PAIRS = [("a b c", "c b a"), ("a", "a"), ("b c", "c b"), ("c c c c c", "c c c c c")]


class Four(ParallelText):
    def __init__(self, **parallel: Any) -> None:
        super().__init__(**{"tokenizer": "space", "source_vocab_size": 9, "target_vocab_size": 8} | parallel)

    def pairs(self) -> dict[str, Pairs]:
        return {"train": PAIRS, "val": PAIRS[:2], "test": PAIRS[1:3]}


def ready(**parallel: Any) -> Four:
    data = Four(**parallel)
    data.setup("fit")
    return data


def test_targets_are_shifted_and_end_in_eos() -> None:
    source, length, target_in, target_out = ready(max_length=8).splits["train"]
    for row in range(4):
        n = int((target_out[row] != PAD).sum())
        assert target_in[row, 0] == BOS and target_out[row, n - 1] == EOS
        assert torch.equal(target_in[row, 1:n], target_out[row, : n - 1])
        assert int((target_in[row] != PAD).sum()) == n
        assert source[row, length[row] - 1] == EOS and not source[row, length[row] :].any()


def test_a_batch_is_as_long_as_its_longest_row() -> None:
    data = ready(max_length=30, batch_size=4)
    source, length, target_in, target_out = data.transform(next(iter(data.train_dataloader())))
    assert source.shape == (4, 6) and target_in.shape == target_out.shape == (4, 6) and int(length.max()) == 6
    assert source.dtype == length.dtype == target_in.dtype == torch.int64
    source, length = data.transform(next(iter(data.predict_dataloader())))  # the test's sources, without targets
    assert source.shape == (2, 3) and length.tolist() == [2, 3]


def test_long_texts_are_cut_as_in_the_book() -> None:
    source, length, _, target_out = ready(max_length=3).splits["train"]
    assert int(length.max()) == 3 and EOS not in source[3].tolist() and EOS not in target_out[3].tolist()


def test_texts_come_back_out_of_ids_up_to_the_end() -> None:
    data = ready()
    assert data.decode_target(data.splits["train"][3]) == [target for _, target in PAIRS]
    ids = data.splits["train"][3][:1].clone()
    ids[0, 1] = EOS
    assert data.decode_target(ids) == ["c"]


def test_a_source_is_encoded_as_in_training() -> None:
    data = ready()
    source, length = data.encode_source(["a b c", "a"])
    assert torch.equal(source, data.splits["train"][0][:2, :4]) and length.tolist() == [4, 2]


def test_a_run_keeps_both_vocabularies() -> None:
    first, second = ready(), Four()
    second.load_processor(first.processor())
    assert torch.equal(second.encode_source(["c b"])[0], first.encode_source(["c b"])[0])


def test_a_shared_vocabulary_is_one() -> None:
    data = ready(shared=True, target_vocab_size=9)
    assert data.source_tokenizer is data.target_tokenizer
    with pytest.raises(UserError, match="must be equal"):
        Four(shared=True)


def test_references_are_the_true_texts_even_where_ids_are_cut() -> None:
    data = ready(max_length=2)
    assert data.references["train"] == [target for _, target in PAIRS]


def test_splits_share_no_source() -> None:
    pairs = [(str(i % 50), str(i)) for i in range(100)]
    splits = random_splits(pairs, 10, 10)
    sources = [{source for source, _ in splits[name]} for name in ("train", "val", "test")]
    assert [len(s) for s in sources] == [30, 10, 10] and not (sources[0] & sources[1] | sources[0] & sources[2])
    assert len(splits["train"]) == 60 and splits == random_splits(pairs, 10, 10)
    with pytest.raises(UserError, match="too few"):
        random_splits(pairs, 25, 25)


def test_padded() -> None:
    table, length = padded([[5], [6, 7, 8]], 4)
    assert table.tolist() == [[5, 0, 0, 0], [6, 7, 8, 0]] and length.tolist() == [1, 3]


def test_a_length_of_one_token_is_refused() -> None:
    with pytest.raises(UserError, match="max_length is 1"):
        Four(max_length=1)


def test_references_are_as_an_output_without_errors_would_be() -> None:
    class Forms(Four):
        def pairs(self) -> dict[str, Pairs]:
            rows = [("a", unicodedata.normalize("NFD", "Ẹ̀kọ́  ọjọ́"))]
            return {"train": rows, "val": rows, "test": rows}

    for options, text in (({}, "Ẹ̀kọ́ ọjọ́"), ({"lower": True}, "ẹ̀kọ́ ọjọ́"), ({"tokenizer": "char"}, "Ẹ̀kọ́  ọjọ́")):
        data = Forms(**{"target_vocab_size": 20, **options})
        data.setup("fit")
        assert data.references["test"] == [unicodedata.normalize("NFC", text)]
        assert data.decode_target(data.splits["test"][3]) == data.references["test"]
        assert data.reference_form == ("NFC, lower case" if "lower" in options else "NFC")
