"""GloVe: weights, the sum of two vectors, learning a matrix."""

from functools import partial
from pathlib import Path

import torch

from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.glove import LitGloVe
from tests.small import small_trainer


def test_weights_rise_to_one_at_the_cutoff() -> None:
    weight = LitGloVe(vocab_size=2).weight(torch.tensor([0.0, 1.0, 50.0, 100.0, 400.0]))
    torch.testing.assert_close(weight, torch.tensor([0.0, 0.01**0.75, 0.5**0.75, 1.0, 1.0]))


def test_vector_is_the_sum_of_both() -> None:
    net = LitGloVe(vocab_size=3, embed_size=2).net
    assert torch.equal(net.vectors(), net.word.weight + net.context.weight)  # type: ignore[union-attr,operator]


def test_learns_the_planted_counts(tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=300, batches="counts", batch_size=256)
    model = LitGloVe(vocab_size=300, embed_size=8, optimizer=partial(torch.optim.Adam, lr=0.02))
    trainer = small_trainer(tmp_path, max_epochs=5)
    trainer.validate(model, data, verbose=False)
    before = float(trainer.callback_metrics["val/loss"])
    trainer.fit(model, data)
    assert float(trainer.callback_metrics["val/loss"]) < 0.8 * before
