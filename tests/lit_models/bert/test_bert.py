"""Pre-training: the loss on chosen places only, both tasks, evaluation that repeats, learning."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from datamodules.text.masked_grammar import MaskedGrammar
from lit_models.bert.bert import BertPretraining, LitBert
from tests.small import small_trainer

ADAM = partial(torch.optim.Adam, lr=0.01)
TOKENS = torch.tensor([[2, 7, 8, 9, 3, 11, 12, 3], [2, 5, 6, 3, 6, 3, 0, 0]])


def task(**changes: Any) -> LitBert:
    torch.manual_seed(0)
    given: dict[str, Any] = {"vocab_size": 20, "hidden_size": 16, "dropout": 0.0, "optimizer": ADAM}
    return LitBert(**(given | changes))


def test_output_matrix_is_the_embedding_and_has_a_bias_of_its_own() -> None:
    net = BertPretraining(20, 8)
    predictions: Any = net.cls["predictions"]
    assert predictions.decoder.weight is net.bert.embeddings.word_embeddings.weight
    assert predictions.decoder.bias.shape == (20,) and predictions.bias is predictions.decoder.bias


def test_loss_is_that_of_the_chosen_places_and_of_the_pair() -> None:
    model = task()
    torch.manual_seed(5)
    seen, chosen = model.masked(TOKENS)
    words, pair = model.net(seen)
    follows = torch.tensor([0, 1])
    expected = F.cross_entropy(words[chosen], TOKENS[chosen]) + F.cross_entropy(pair, follows)
    torch.manual_seed(5)
    model.record_train_loss = lambda loss, count: None  # type: ignore[method-assign]
    torch.testing.assert_close(model.training_step((TOKENS, follows), 0), expected)


def test_without_pairs_the_second_task_has_no_part_in_the_loss() -> None:
    model = task()
    model.record_train_loss = lambda loss, count: None  # type: ignore[method-assign]
    model.training_step((TOKENS, torch.tensor([-1, -1])), 0).backward()
    weight: Any = model.net.cls["seq_relationship"].weight  # type: ignore[union-attr,index]
    assert weight.grad is not None and not weight.grad.any()


def test_evaluation_repeats_and_training_steps_draw_other_words(tmp_path: Path) -> None:
    model, data = task(vocab_size=37), MaskedGrammar(batch_size=16, train_size=64, val_size=64, test_size=64)
    trainer = small_trainer(tmp_path, max_epochs=1)
    one, other = (trainer.test(model, data, verbose=False)[0] for _ in range(2))
    assert one == other and one["test/excess"] > 1 and one["test/loss"] == one["test/masked"]
    assert not torch.equal(model.masked(TOKENS)[1], model.masked(TOKENS)[1])


def test_learns_a_grammar(tmp_path: Path) -> None:
    data = MaskedGrammar(12, 8, 1, batch_size=32, train_size=640, val_size=64, test_size=64)
    model = task(vocab_size=12)
    trainer = small_trainer(tmp_path, max_epochs=4)
    trainer.fit(model, data)
    assert trainer.test(model, data, verbose=False)[0]["test/masked_acc"] > 0.6
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitBert.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    torch.testing.assert_close(again.eval()(TOKENS % 12)[0], model.eval()(TOKENS % 12)[0])


def test_pairs_are_learned_from_the_pooled_state() -> None:
    """Whether the second sentence's word is one of the larger ones."""
    torch.manual_seed(1)
    words = torch.randint(5, 15, (64, 2))
    follows = (words[:, 1] >= 10).long()
    first, end = torch.full((64, 1), 2), torch.full((64, 1), 3)
    tokens = torch.cat([first, words[:, :1], end, words[:, 1:], end], 1)
    model = task(vocab_size=16)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(model.net(tokens)[1], follows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 < losses[0]
