"""The transformer with a lexicon: the battery, the lexicon's part against loops, and where the lexicon comes from."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from common.messages import UserError
from datamodules.parallel_text.pair_splits import Pairs
from datamodules.parallel_text.parallel_text import ParallelText
from lit_models.attention.transformer import Transformer
from lit_models.translation.lexical import LexicalTransformer, LitLexicalTransformer
from tests.battery import ADAM, Seq2SeqBattery
from tests.lit_models.attention import test_transformer as plain

V, K = 9, 3
SMALL: dict[str, Any] = {
    **{"source_vocab_size": V, "target_vocab_size": V, "hidden_size": 16, "num_layers": 1, "num_heads": 2},
    **{"ffn_size": 24, "dropout": 0.0, "candidates": K},
}


def filled(net: Any) -> Any:
    """Gives the network a lexicon of three different tokens for each source token."""
    generator = torch.Generator().manual_seed(5)
    net.lexicon_ids = torch.stack([torch.randperm(V, generator=generator)[:K] for _ in range(V)])
    net.lexicon_probability = torch.rand(V, K, generator=generator).to(net.head.weight.dtype) / K
    return net


def network(**settings: Any) -> Any:
    torch.manual_seed(0)
    return filled(LexicalTransformer(**SMALL, **settings).double().eval())


class TestLitLexicalTransformer(Seq2SeqBattery):
    parameters = plain.TestLitTransformer.parameters + 2 * 32 + 2 * 16 * 16  # two norms at the ends, query and key

    def model(self) -> LitLexicalTransformer:
        model = LitLexicalTransformer(**SMALL, max_length=8, optimizer=ADAM)
        filled(model.net)
        return model

    def batch(self) -> tuple[Tensor, ...]:
        return plain.BATCH


BATCH = plain.BATCH


def by_loops(net: Any) -> Tensor:
    """The logits as the paper states them, one token after the other."""
    source, length, target_in, _ = BATCH
    memory = net.encode(source, length)
    x = net.decoded(target_in, memory, None)
    logits = net.head(x).clone()
    for b, t in ((b, t) for b in range(len(source)) for t in range(target_in.shape[1])):
        places = range(int(length[b]))
        scores = [net.lexicon_query.weight @ x[b, t] @ (net.lexicon_key.weight @ memory[0][b, s]) / 4 for s in places]
        attention = torch.stack(scores).softmax(0)
        p_lex = torch.zeros(V, dtype=torch.float64)
        for s, k in ((s, k) for s in places for k in range(K)):
            word = net.lexicon_ids[source[b, s], k]
            p_lex[word] += attention[s] * net.lexicon_probability[source[b, s], k]
        logits[b, t] += torch.log(p_lex + net.epsilon)
    return logits


def test_the_logits_are_those_of_plain_loops() -> None:
    net = network()
    torch.testing.assert_close(net(*BATCH[:3]), by_loops(net))
    expected = by_loops(net)
    net.lexicon_ids = net.lexicon_ids.flip(0)  # another dictionary
    assert not torch.allclose(net(*BATCH[:3]), expected)


def test_the_proposed_distribution_is_a_part_of_one() -> None:
    net = network()
    net.lexicon_probability /= net.lexicon_probability.sum(1, keepdim=True)
    memory = net.encode(*BATCH[:2])
    attention = net.attention_to_source(net.decoded(BATCH[2], memory, None), memory)
    torch.testing.assert_close(net.proposed(attention, BATCH[0]).sum(2), torch.ones(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("empty", [True, False])
def test_without_a_lexicon_it_is_the_plain_transformer(empty: bool) -> None:
    """An empty lexicon adds one constant to all logits."""
    net, transformer = network(lexicon=empty), Transformer(V, V, 16, 1, 2, 24, 0.0, pre_norm=True).double().eval()
    if empty:
        net.lexicon_probability.zero_()
    transformer.load_state_dict({name: value for name, value in net.state_dict().items() if "lexicon" not in name})
    torch.testing.assert_close(net(*BATCH[:3]).log_softmax(2), transformer(*BATCH[:3]).log_softmax(2))
    assert not torch.allclose(network()(*BATCH[:3]).log_softmax(2), transformer(*BATCH[:3]).log_softmax(2))


def test_all_parameters_learn_and_none_of_the_lexicon_without_it() -> None:
    for lexicon in (True, False):
        model = LitLexicalTransformer(**SMALL, lexicon=lexicon)
        filled(model.net)
        model.mean_loss(BATCH)[0].backward()
        missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert missing == ([] if lexicon else ["net.lexicon_query.weight", "net.lexicon_key.weight"])


def test_sizes_that_make_no_sense_are_refused() -> None:
    for wrong in ({"candidates": 0}, {"epsilon": 0.0}):
        with pytest.raises(UserError, match="give positive numbers"):
            LexicalTransformer(**SMALL | wrong)


# -- where the lexicon comes from -------------------------------------------------------------------------------------

PAIRS = [
    ("the house", "das haus"),
    ("the book", "das buch"),
    ("a book", "ein buch"),
    ("house the book", "haus das buch"),
]


class House(ParallelText):
    def pairs(self) -> dict[str, Pairs]:
        return {"train": PAIRS, "val": PAIRS[:2], "test": PAIRS[1:3]}


def fit(folder: Path, data: House | None = None, **settings: Any) -> Any:
    data = data or House(30, 30, tokenizer="space", shared=True, batch_size=4)
    sizes = SMALL | {"source_vocab_size": 30, "target_vocab_size": 30}
    model = LitLexicalTransformer(**sizes, max_length=8, optimizer=ADAM, **settings)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(default_root_dir=folder, enable_checkpointing=False, max_epochs=1, **quiet)  # type: ignore[arg-type]
    trainer.fit(model, datamodule=data)
    return model, data, trainer


def test_a_run_makes_its_lexicon_and_a_checkpoint_has_it(tmp_path: Path) -> None:
    model, data, trainer = fit(tmp_path)
    assert data.source_tokenizer is not None
    book, buch = (data.source_tokenizer.id_of(word) for word in ("book", "buch"))
    assert int(model.net.lexicon_ids[book, 0]) == buch
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again: Any = LitLexicalTransformer.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert torch.equal(again.net.lexicon_ids, model.net.lexicon_ids)
    found = trainer.test(again, datamodule=data, verbose=False)
    assert found[0]["test/perplexity"] < 100


def test_a_child_has_the_lexicon_of_its_own_pairs(tmp_path: Path) -> None:
    parent, data, trainer = fit(tmp_path)
    trainer.save_checkpoint(tmp_path / "parent.ckpt")

    class Other(House):
        def pairs(self) -> dict[str, Pairs]:
            return {name: [(s, t.replace("buch", "haus")) for s, t in rows] for name, rows in super().pairs().items()}

    other = Other(30, 30, tokenizer="space", shared=True, batch_size=4)
    other.source_tokenizer, other.target_tokenizer = data.source_tokenizer, data.target_tokenizer
    child, *_ = fit(tmp_path, other, weights=str(tmp_path / "parent.ckpt"))
    assert data.source_tokenizer is not None
    book, haus = (data.source_tokenizer.id_of(word) for word in ("book", "haus"))
    assert int(child.net.lexicon_ids[book, 0]) == haus != int(parent.net.lexicon_ids[book, 0])
    difference = (child.net.head.weight - parent.net.head.weight).detach()
    assert float(difference.abs().max()) < 0.05  # one step from the parent's: its weights were loaded


def test_the_attention_is_drawn(tmp_path: Path) -> None:
    model, data, _ = fit(tmp_path)
    source, length = data.encode_source(["the book", "a house"])
    ids, weights = model.eval().alignment(source, length)
    assert weights.shape == (2, ids.shape[1], source.shape[1])
    torch.testing.assert_close(weights.sum(2), torch.ones(ids.shape))
    memory = model.net.encode(source, length)
    before_the_last = torch.cat([torch.full((2, 1), model.bos_id), ids[:, :-1]], 1)
    last = model.net.attention_to_source(model.net.decoded(before_the_last, memory, None)[:, -1:], memory)
    torch.testing.assert_close(weights[:, -1:], last)
