"""fastText: words that share n-grams, words that were never seen."""

from functools import partial
from pathlib import Path

import torch

from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.fasttext import FastText, LitFastText
from tests.small import small_trainer


def test_vector_is_the_mean_of_the_word_and_its_n_grams() -> None:
    net = FastText(3, 4, buckets=30).eval()
    net.spell(["is", "a"])
    pieces = net.subwords[0][:2].long()
    expected = (net.input.weight[0] + net.pieces.weight[pieces].sum(0)) / 3
    torch.testing.assert_close(net.vectors()[0], expected)
    torch.testing.assert_close(net.vectors()[1], net.input.weight[1])  # too short for n-grams


def test_a_batchs_words_are_embedded_once_and_each_in_its_place() -> None:
    net, words = FastText(5, 4, buckets=30), torch.tensor([3, 1, 3, 0])
    net.spell(["one", "two", "three", "four", "five"])
    torch.testing.assert_close(net.train().embed(words), net.eval().embed(words))


def test_unseen_word_is_the_mean_of_its_n_grams_alone() -> None:
    net = FastText(1, 4, buckets=30)
    net.spell(["is"])
    (vector,) = net.vectors_of(["is"])
    torch.testing.assert_close(vector, net.pieces.weight[net.subwords[0][:2].long()].mean(0))
    assert not net.vectors_of(["a"]).any()  # nothing is known


def test_learns_and_keeps_its_n_grams_in_the_checkpoint(tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=200, batch_size=64)
    adam = partial(torch.optim.Adam, lr=0.02)
    model = LitFastText(vocab_size=300, embed_size=8, buckets=500, optimizer=adam)
    trainer = small_trainer(tmp_path, max_epochs=1)
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = LitFastText.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert (again.net.subwords >= 0).any()  # type: ignore[union-attr,operator]
    assert torch.equal(again.net.subwords, model.net.subwords)  # type: ignore[union-attr,arg-type]
    assert "test/unseen" in trainer.test(again, data, verbose=False)[0]
