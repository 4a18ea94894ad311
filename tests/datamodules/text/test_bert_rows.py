"""Rows for BERT: batches of like lengths, tokenizers."""

import json
from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.text.bert_rows import BertRows, LengthLoader, special_id, train_wordpiece
from datamodules.text.tokenizers import CharTokenizer


def test_batches_are_of_like_lengths_and_every_row_comes_once() -> None:
    torch.manual_seed(0)
    lengths = torch.randint(1, 40, (256,))
    rows = (torch.arange(40) < lengths[:, None]).int()
    loader = LengthLoader((rows, torch.arange(256)), 8)
    batches = list(loader)
    assert torch.cat([i for _, i in batches]).sort().values.tolist() == list(range(256))
    widths = sum(int(x.sum(1).max()) * len(x) for x, _ in batches)
    assert widths < 1.1 * int(lengths.sum())
    assert [len(x) for x, _ in batches] == [8] * 32
    loader.set_epoch(1)
    assert torch.cat([i for _, i in loader]).tolist() != torch.cat([i for _, i in batches]).tolist()


def test_two_processes_share_the_rows() -> None:
    rows = torch.ones(20, 3).int()
    parts = [torch.cat([i for _, i in LengthLoader((rows, torch.arange(20)), 4, rank=r, world=2)]) for r in (0, 1)]
    assert torch.cat(parts).sort().values.tolist() == list(range(20))


def test_wordpiece_has_berts_specials_and_says_when_it_is_too_small() -> None:
    model = train_wordpiece(["ọkọ̀ ọkọ film films"] * 3, 40)
    assert model.tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] and len(model) == 40
    assert model.encode("ọkọ̀") != model.encode("ọkọ")
    with pytest.raises(UserError, match=r"data\.vocab_size is 8"):
        train_wordpiece(["abcdefgh"], 8)


def test_a_long_text_without_spaces_is_cut_and_not_unknown() -> None:
    clause = "ประเทศไทยมีเมืองหลวงชื่อกรุงเทพมหานคร" * 20
    model = train_wordpiece([clause], 200)
    unknown, *tokens = [model.tokens[i].removeprefix("##") for i in model.encode(f"word {clause}")]
    assert unknown == "[UNK]" and "".join(tokens) == clause


class Read(BertRows):
    def read(self, stage: str) -> dict[str, list[str]]:
        return {"train": ["one two three"], "val": ["one two", "two xyz"]}

    def training_texts(self, found: list[str]) -> list[str]:
        return found

    def rows(self, name: str, found: list[str]) -> tuple[torch.Tensor, ...]:
        assert self.tokenizer is not None
        rows = [torch.tensor(self.tokenizer.encode(text)) for text in found]
        return (torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),)


def test_the_fraction_of_unknown_tokens_is_said() -> None:
    data = Read()
    data.setup("fit")
    assert data.facts == ["25% of the val tokens are not in the vocabulary"]


def test_the_tokenizer_of_a_run_is_taken_from_its_folder(tmp_path: Path) -> None:
    data = Read()
    data.setup("fit")
    (tmp_path / "processor.json").write_text(json.dumps(data.processor()))
    again = Read(tokenizer=str(tmp_path))
    again.setup("fit")
    assert data.tokenizer is not None and again.tokenizer is not None
    assert again.tokenizer.saved() == data.tokenizer.saved()
    assert Read.decided_by_files(str(tmp_path)) == {"vocab_size": len(data.tokenizer), "sep_id": 3}
    with pytest.raises(UserError, match=r"no tokenizer .*nowhere"):
        Read.decided_by_files(str(tmp_path / "nowhere"))


def test_other_tokenizers_and_short_rows_are_one_line() -> None:
    with pytest.raises(UserError, match=r"has no \[CLS\]"):
        special_id(CharTokenizer(["<pad>", "a"]), "[CLS]")
    with pytest.raises(UserError, match=r"data\.seq_len is 4"):
        BertRows(seq_len=4)


def test_the_batches_of_two_processes_together_are_those_of_one() -> None:
    rows = (torch.arange(9) < torch.randint(1, 9, (40, 1), generator=torch.Generator().manual_seed(0))).int()
    tensors = (rows, torch.arange(40))
    whole = [set(i.tolist()) for _, i in LengthLoader(tensors, 8)]
    ranks = [[i.tolist() for _, i in LengthLoader(tensors, 4, rank=r, world=2)] for r in (0, 1)]
    assert [set(a + b) for a, b in zip(*ranks, strict=True)] == whole


def test_every_process_makes_the_same_vocabulary() -> None:
    """The library's own trainer does not: it follows the order of a hash table, even within one process."""
    texts = [f"{a}{b}{c} {c}{b}" for a in "abcd" for b in "efgh" for c in "ijkl"]
    found = {tuple(train_wordpiece(texts, 60).tokens) for _ in range(5)}
    assert len(found) == 1 and "##l" in next(iter(found))
