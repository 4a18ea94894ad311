"""A child with other vocabularies than its parent's: each token takes the parent's row of the same text."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from common.messages import UserError
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import ParallelText
from datamodules.text.tokenizers import BPETokenizer
from lit_models.attention.transformer import LitTransformer, Transformer
from lit_models.rnn.bahdanau import BahdanauGRU
from lit_models.rnn.seq2seq import LitSeq2Seq, Seq2SeqGRU
from lit_models.summarization.pointer_generator import PointerGenerator
from lit_models.tasks.parent_vocabulary import OWN, ROWS_OF_TOKENS, parent_rows, processor_beside, with_rows
from lit_models.tasks.task import Task
from lit_models.translation.bart import Bart
from lit_models.translation.lexical import LexicalTransformer, LitLexicalTransformer
from lit_models.translation.t5 import T5

PAIRS = [("the house", "das haus"), ("the book", "das buch"), ("a book", "ein buch"), ("house the book", "haus buch")]
SIZES: dict[str, Any] = {"source_vocab_size": 12, "target_vocab_size": 12}
TINY: dict[str, Any] = {"hidden_size": 16, "num_layers": 1, "dropout": 0.0}


class House(ParallelText):
    def pairs(self) -> dict[str, Pairs]:
        return {"train": PAIRS, "val": PAIRS, "test": PAIRS}


class Reversed(House):
    """The same pairs; the tokens have other numbers."""

    def _make_vocabularies(self, train: Pairs) -> None:
        super()._make_vocabularies(train)
        for tokenizer in (self.source_tokenizer, self.target_tokenizer):
            assert tokenizer is not None
            kind: Any = type(tokenizer)
            tokens = [*tokenizer.tokens[:4], *reversed(tokenizer.tokens[4:])]
            changed = kind(tokens, tokenizer.specials)
            if tokenizer is self.source_tokenizer:
                self.source_tokenizer = changed
            else:
                self.target_tokenizer = changed


def words(*tokens: str) -> dict[str, Any]:
    return {"kind": "word", "tokens": list(tokens), "specials": [], "lower": False}


def both(saved: dict[str, Any]) -> dict[str, Any]:
    return {"source_tokenizer": saved, "target_tokenizer": saved}


def test_a_token_has_the_row_of_the_same_text() -> None:
    rows = parent_rows(both(words("c", "new", "a")), both(words("a", "b", "c")))
    assert {side: row.tolist() for side, row in rows.items()} == {"source": [2, -1, 0], "target": [2, -1, 0]}


def test_the_sides_may_differ() -> None:
    child = {"source_tokenizer": words("b", "a"), "target_tokenizer": words("x")}
    parent = {"source_tokenizer": words("a", "b"), "target_tokenizer": words("y", "x")}
    assert {side: row.tolist() for side, row in parent_rows(child, parent).items()} == {"source": [1, 0], "target": [1]}
    child["source_tokenizer"] = parent["source_tokenizer"]  # one side is equal
    assert {side: row.tolist() for side, row in parent_rows(child, parent).items()} == {"source": [0, 1], "target": [1]}


def test_equal_vocabularies_and_other_kinds_of_data_move_no_rows() -> None:
    one = both(words("a", "b"))
    assert parent_rows(one, one) == parent_rows({}, one) == parent_rows(one, {"tokenizer": words("a")}) == {}


def test_byte_pairs_are_compared_by_their_texts() -> None:
    first = BPETokenizer.train(["the house the house", "the mouse"], 270)
    second = BPETokenizer.train(["a mouse a mouse", "the mouse"], 270)
    row = parent_rows(both(second.saved()), both(first.saved()))["source"]
    shared = 0
    for i, token in enumerate(second.tokens):
        assert int(row[i]) == (first.tokens.index(token) if token in first.tokens else -1)
        shared += token in first.tokens
    assert 256 <= shared < len(second.tokens)


def test_new_tokens_keep_their_rows_and_other_tensors_are_the_parents() -> None:
    own = {"head.weight": torch.full((3, 2), 9.0), "encoder.norm.weight": torch.zeros(2), "lexicon_ids": torch.ones(3)}
    theirs = {"head.weight": torch.arange(4.0).view(2, 2), "encoder.norm.weight": torch.ones(2)}
    theirs["lexicon_ids"] = torch.zeros(2)
    moved = with_rows(own, theirs, {"target": torch.tensor([1, -1, 0]), "source": torch.tensor([0, 1, 2])})
    assert moved["head.weight"].tolist() == [[2.0, 3.0], [9.0, 9.0], [0.0, 1.0]]
    assert moved["encoder.norm.weight"].tolist() == [1.0, 1.0] and moved["lexicon_ids"].tolist() == [1.0] * 3
    assert own["head.weight"].tolist() == [[9.0, 9.0]] * 3  # as it was


@pytest.mark.parametrize(
    "net",
    [
        Transformer(37, 41, 16),
        Transformer(37, 37, 16, tied="all"),
        LexicalTransformer(37, 41, 16),
        Seq2SeqGRU(37, 41, 8, 16),
        BahdanauGRU(37, 41, 8, 16),
        PointerGenerator(37, 37, 8, 16),
        Bart(37, hidden_size=16),
        T5(37, hidden_size=16),
    ],
    ids=lambda net: type(net).__name__,
)
def test_the_names_are_those_of_all_networks(net: torch.nn.Module) -> None:
    found = {name: tensor.shape[0] for name, tensor in net.state_dict().items() if tensor.ndim and tensor.shape[0] > 36}
    found = {name: rows for name, rows in found.items() if rows in (37, 41)}
    assert found and set(found) <= {*ROWS_OF_TOKENS, *OWN}
    for name, rows in found.items():
        if name in ROWS_OF_TOKENS and 41 in found.values():
            assert (rows == 37) == (ROWS_OF_TOKENS[name] == "source")


def test_the_processor_is_found_beside_a_run_and_its_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "processor.json").write_text('{"a": 1}')
    for weights in ("run", "run/model.safetensors", "run/checkpoints/best.ckpt"):
        assert processor_beside(str(tmp_path / weights)) == {"a": 1}
    assert processor_beside(str(tmp_path / "elsewhere" / "x.pt")) == {}
    (tmp_path / "run" / "processor.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"model.weights: .*processor.json is damaged \(Expecting value"):
        processor_beside(str(tmp_path / "run"))


def loss_of(model: Task, data: ParallelText, folder: Path) -> float:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(default_root_dir=folder, enable_checkpointing=False, accelerator="cpu", **quiet)
    found = trainer.validate(model, datamodule=data, verbose=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(folder / "last.ckpt")
    return float(found[0]["val/loss"])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("kind", [LitTransformer, LitSeq2Seq, LitLexicalTransformer])
def test_a_child_with_the_same_tokens_in_another_order_is_its_parent(
    kind: Any, shared: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: dict[str, Any] = {"tokenizer": "space", "shared": shared, "batch_size": 4}
    sizes = SIZES | TINY | ({"tied": "all"} if shared and kind is not LitSeq2Seq else {})
    torch.manual_seed(1)
    run = tmp_path / "run"
    run.mkdir()
    parent, data = kind(**sizes), House(12, 12, **arguments)
    expected = loss_of(parent, data, run)
    (run / "processor.json").write_text(json.dumps(data.processor()))
    child = loss_of(kind(**sizes, weights=str(run / "last.ckpt")), Reversed(12, 12, **arguments), tmp_path)
    assert child == pytest.approx(expected, rel=1e-5)
    assert "12 of 12 source and 12 of 12 target tokens are in both" in capsys.readouterr().err
    (run / "processor.json").unlink()  # then the rows are taken by their numbers
    by_number = loss_of(kind(**sizes, weights=str(run / "last.ckpt")), Reversed(12, 12, **arguments), tmp_path)
    assert abs(by_number - expected) > 0.01


def test_a_parent_of_another_width_is_refused(tmp_path: Path) -> None:
    data = House(12, 12, tokenizer="space", shared=True, batch_size=4)
    loss_of(LitTransformer(**SIZES | TINY), data, tmp_path)
    (tmp_path / "processor.json").write_text(json.dumps(data.processor()))
    child = LitTransformer(**SIZES | TINY | {"hidden_size": 32}, weights=str(tmp_path / "last.ckpt"))
    with pytest.raises(
        UserError, match=r"does not fit Transformer: other shapes: .*the run's network had --model.hidden"
    ):
        loss_of(child, Reversed(12, 12, tokenizer="space", shared=True, batch_size=4), tmp_path)


def test_a_child_may_have_more_tokens(tmp_path: Path) -> None:
    torch.manual_seed(1)
    parent, data = LitTransformer(**SIZES | TINY), House(12, 12, tokenizer="space", shared=True, batch_size=4)
    loss_of(parent, data, tmp_path)
    (tmp_path / "processor.json").write_text(json.dumps(data.processor()))
    larger = {"source_vocab_size": 20, "target_vocab_size": 20}
    child = LitTransformer(**TINY, **larger, weights=str(tmp_path / "last.ckpt"))
    other = Reversed(20, 20, tokenizer="space", shared=True, batch_size=4)
    loss_of(child, other, tmp_path / "child")
    token = "haus"
    assert data.source_tokenizer is not None and other.source_tokenizer is not None
    ours, theirs = other.source_tokenizer.id_of(token), data.source_tokenizer.id_of(token)
    assert ours != theirs
    found: Any = child.net
    known: Any = parent.net
    assert torch.equal(found.source_embedding.weight[ours], known.source_embedding.weight[theirs])
    assert torch.equal(found.head.bias[ours], known.head.bias[theirs])
