"""Pairs of texts as padded tensors, and back."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.parallel_text.loaders import padded, padding
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import BOS, EOS, PAD, ParallelText

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


class Tagged(ParallelText):
    """Pairs of two languages, one of them with few."""

    def __init__(self, source_vocab_size: int = 300, target_vocab_size: int = 300, **parallel: Any) -> None:
        super().__init__(source_vocab_size, target_vocab_size, 40, **({"tokenizer": "bpe", "shared": True} | parallel))

    def pairs(self) -> dict[str, Pairs]:
        rows = [(f"<2{'sw' if i % 8 else 'yo'}> number {i} {'and ' * (i % 7)}", f"hesabu {i * i}") for i in range(200)]
        return {"train": rows[20:], "val": rows[:20], "test": rows[:20]}


def test_training_pairs_are_cut_anew_each_epoch_and_the_same_again() -> None:
    data = Tagged(bpe_dropout=0.2, batch_by="tokens", batch_size=16)
    data.setup("fit")
    loader = data.train_dataloader()
    epochs = []
    for epoch in (0, 1):
        loader.set_epoch(epoch)
        batches = list(loader)
        assert padding(batches) < 0.2
        rows = [
            (s[s > 0].tolist(), data.decode_target(t[None])[0])
            for b in batches
            for s, t in zip(b[0], b[3], strict=True)
        ]
        epochs.append(sorted(rows, key=lambda row: (row[1], len(row[0]))))
    assert epochs[0] != epochs[1] and [row[1] for row in epochs[0]] == [row[1] for row in epochs[1]]
    again = data.train_dataloader()
    again.set_epoch(1)
    assert all(torch.equal(a, b) for x, y in zip(again, loader, strict=True) for a, b in zip(x, y, strict=True))
    plain = Tagged()
    plain.setup("fit")
    assert torch.equal(plain.splits["val"][0], data.splits["val"][0])  # evaluated without dropout


def test_denoising_masks_a_text_but_not_its_tag() -> None:
    data = Tagged(objective="denoise", batch_size=180)
    data.subsets = {"test": {"translated": [True]}}
    data.setup("fit")
    assert data.subsets == {}  # of pairs, where rows are texts
    hidden = 0
    for batch in (next(iter(data.train_dataloader())), data.splits["val"]):
        for source, length, _, target in zip(*batch, strict=True):
            ids = source[: int(length)]
            assert int((ids == data.mask_id).sum()) >= 1
            text = data.source_tokenizer.decode(ids)  # type: ignore[union-attr]
            assert text.startswith(("<2sw>", "<2yo>"))
            hidden += len(data.decode_target(target[None])[0]) - (len(text) - 6)
    assert hidden > 500
    first, second = data.train_dataloader(), data.train_dataloader()
    second.set_epoch(1)
    assert not torch.equal(next(iter(first))[0].sort(0).values.sum(), next(iter(second))[0].sort(0).values.sum())


@pytest.mark.parametrize(
    "options", [{"tokenizer": "word"}, {"tokenizer": "char"}, {"tokenizer": "byte"}, {}, {"bpe_dropout": 0.5}]
)
def test_the_first_word_may_be_masked_and_the_tag_never(options: dict[str, Any]) -> None:
    data = Tagged(objective="denoise", **{"source_vocab_size": 400, "target_vocab_size": 400} | options)
    data.setup("fit")
    tag = data.source_tokenizer.decode(data.source_tokenizer.encode("<2sw>"))  # type: ignore[union-attr]
    first = 0
    for epoch in range(3):
        source, length, *_ = data.tensors([("<2sw> hesabu", "hesabu")] * 50, epoch)
        for row, n in zip(source, length, strict=True):
            ids = row[: int(n)].tolist()
            place = ids.index(data.mask_id)
            before = data.source_tokenizer.decode(ids[:place]).strip()  # type: ignore[union-attr]
            assert before.startswith(tag)
            first += before == tag
    assert first > 10


def test_a_temperature_takes_tags_for_languages() -> None:
    data = Tagged(temperature=1000.0, batch_size=180)
    data.setup("fit")
    yo = data.source_tokenizer.encode("<2yo>")  # type: ignore[union-attr]
    (batch,) = list(data.train_dataloader())
    assert sum(row[: len(yo)].tolist() == yo for row in batch[0]) == 90
    with pytest.raises(UserError, match=r"data.temperature is 0.5: give 1"):
        Tagged(temperature=0.5)


def test_a_child_has_the_vocabulary_of_its_parent(tmp_path: Path) -> None:
    parent = Tagged()
    parent.setup("fit")
    (tmp_path / "processor.json").write_text(json.dumps(parent.processor()))
    child = Four(vocabulary=str(tmp_path), **Four.decided_by_files(str(tmp_path)))
    child.setup("fit")
    assert child.source_tokenizer is child.target_tokenizer and len(child.source_tokenizer) == 300  # type: ignore[arg-type]
    assert torch.equal(child.encode_source(["a b"])[0], torch.tensor([[*parent.source_tokenizer.encode("a b"), EOS]]))  # type: ignore[union-attr]
    assert Four.decided_by_files() == {}


def test_synthetic_pairs_are_for_training_only(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.tsv"
    path.write_text("<BT> <2sw> one\tmoja\n" * 3)
    data = Tagged(synthetic=str(path))
    data.setup("fit")
    assert len(data.splits["train"][0]) == 183 and len(data.splits["val"][0]) == 20
    assert data.references["train"][-1] == "moja" and data.tags == ["<2sw>", "<2yo>"]


def test_synthetic_pairs_of_another_split_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "synthetic.tsv"
    path.write_text("<BT> <2sw> one\tmoja\n<BT> <2sw> two\thesabu 4\n")  # the second's target is the test's
    data = Tagged(synthetic=str(path))
    data.setup("fit")
    assert data.references["train"][180:] == ["moja"]
    assert "1 of 2 pairs" in capsys.readouterr().err


def test_an_unknown_language_is_one_line() -> None:
    first, second = Tagged(), Tagged()
    first.setup("fit")
    second.load_processor(first.processor())
    for data in (first, second):
        with pytest.raises(UserError, match=r"has the tag <2xx>, .*: begin with one of <2sw>"):
            data.encode_source(["<2xx> number"])


def test_bytes_are_tokens_of_any_language() -> None:
    data = Four(tokenizer="byte", source_vocab_size=260, target_vocab_size=260, max_length=30)
    data.setup("fit")
    text = "Ẹ̀kọ́ ዓርብ"
    source, length = data.encode_source([text])
    assert int(length) == len(unicodedata.normalize("NFC", text).encode()) + 1
    assert data.decode_target(source) == [unicodedata.normalize("NFC", text)]
    with pytest.raises(UserError, match="need at least 260"):
        Four(tokenizer="byte").setup("fit")
