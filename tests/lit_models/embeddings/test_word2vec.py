"""word2vec: pairs, noise, the tree's probabilities, checkpoints, the recipe's claims on the planted text."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.word2vec import LitWord2Vec, Word2Vec, noise_weights, pairs_of
from lit_models.functional.alias_method import alias_tables
from tests.small import small_trainer

CENTER, CONTEXT = torch.tensor([2, 0, 5]), torch.tensor([[1, -1, 3, 2], [-1, -1, -1, -1], [0, 6, 6, -1]])
ADAM = partial(torch.optim.Adam, lr=0.02)


def task(**arguments: Any) -> LitWord2Vec:
    return LitWord2Vec(**({"vocab_size": 9, "embed_size": 6, "optimizer": ADAM} | arguments))


def test_skip_gram_has_a_pair_for_each_neighbor_and_cbow_one_for_each_center_with_any() -> None:
    inputs, targets = pairs_of(CENTER, CONTEXT, "skipgram")
    pairs = list(zip(inputs[:, 0].tolist(), targets.tolist(), strict=True))
    assert pairs == [
        (2, 1),
        (2, 3),
        (2, 2),
        (5, 0),
        (5, 6),
        (5, 6),
    ]
    inputs, targets = pairs_of(CENTER, CONTEXT, "cbow")
    assert targets.tolist() == [2, 5] and inputs.tolist() == [CONTEXT[0].tolist(), CONTEXT[2].tolist()]


def test_input_of_cbow_is_the_mean_of_real_words_only() -> None:
    net = Word2Vec(9, 6)
    expected = net.input.weight[[1, 3, 2]].mean(0)
    torch.testing.assert_close(net.mean_input(CONTEXT[:1])[0], expected)


def test_negatives_follow_counts_to_the_power_and_words_without_a_count_are_never_drawn() -> None:
    model = task(vocab_size=5)
    counts = torch.tensor([81, 16, 1, 0, 0])
    model.own, model.other = alias_tables(noise_weights(counts, 0.75))
    torch.manual_seed(0)
    share = torch.bincount(model.draw(200, 1000).flatten(), minlength=5) / 200_000
    expected = torch.tensor([27.0, 8, 1, 0, 0]) / 36
    torch.testing.assert_close(share, expected, atol=0.005, rtol=0)
    assert share[3:].sum() == 0
    assert noise_weights(counts, 0.0).tolist() == [1, 1, 1, 0, 0]


def test_negatives_are_drawn_anew_in_each_step() -> None:
    model = task()
    assert not torch.equal(model.draw(20, 5), model.draw(20, 5))


def test_probabilities_of_hierarchical_softmax_sum_to_one() -> None:
    model = task(softmax="hierarchical").double()
    torch.nn.init.normal_(model.net.output.weight)  # type: ignore[union-attr,arg-type]
    every = torch.arange(9)
    for word in (0, 7):
        loss = model.hierarchical_softmax(torch.full((9, 1), word), every)
        torch.testing.assert_close((-loss).exp().sum(), torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("softmax", ["negative", "hierarchical"])
@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
def test_a_batch_without_any_pair_has_loss_zero_and_gradients(architecture: str, softmax: str) -> None:
    model = task(architecture=architecture, softmax=softmax)
    loss, count = model.mean_loss((CENTER[1:2], CONTEXT[1:2]))
    loss.backward()
    assert float(loss.detach()) == 0 == float(count)


@pytest.mark.parametrize("softmax", ["negative", "hierarchical"])
def test_learns_reads_counts_of_the_data_and_a_checkpoint_keeps_them(softmax: str, tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=300, batch_size=64)
    model = LitWord2Vec(vocab_size=300, embed_size=16, softmax=softmax, noise_power=0.5, optimizer=ADAM)
    trainer = small_trainer(tmp_path, max_epochs=2)
    trainer.validate(model, data, verbose=False)
    before = float(trainer.callback_metrics["val/loss"])
    trainer.fit(model, data)
    assert float(trainer.callback_metrics["val/loss"]) < 0.95 * before
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitWord2Vec.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    if softmax == "negative":
        assert torch.equal(model.own, alias_tables(noise_weights(data.word_counts, 0.5))[0])
    name = "other" if softmax == "negative" else "nodes"
    assert torch.equal(getattr(again, name), getattr(model, name))
    assert not torch.equal(getattr(again, name), getattr(LitWord2Vec(vocab_size=300, softmax=softmax), name))
    metrics = trainer.test(again, data, verbose=False)[0]
    assert {"test/neighbors", "test/analogies", "test/analogies_mul"} <= set(metrics)


def test_sparse_gradients_are_those_of_the_batch() -> None:
    dense, sparse = task(), task(sparse=True)
    sparse.load_state_dict(dense.state_dict())
    grads: list[Tensor] = []
    for model in (dense, sparse):
        torch.manual_seed(1)
        model.mean_loss((CENTER, CONTEXT))[0].backward()
        grads.append(model.net.output.weight.grad.to_dense())  # type: ignore[union-attr]
    torch.testing.assert_close(*grads)
    assert grads[0].abs().sum() >= 0


def test_input_rows_of_words_outside_the_batch_get_no_gradient() -> None:
    model = task()
    torch.nn.init.normal_(model.net.output.weight)  # type: ignore[union-attr,arg-type]
    model.mean_loss((CENTER, CONTEXT))[0].backward()
    touched = model.net.input.weight.grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert touched.nonzero().flatten().tolist() == [2, 5]


def test_pure_half_precision_is_refused(tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=50)
    with pytest.raises(UserError, match="bf16-true is too coarse for rare words: give bf16-mixed"):
        small_trainer(tmp_path, precision="bf16-true").fit(task(vocab_size=data.vocab_size), datamodule=data)
