"""The map of words: tested words first, their principal components, drawn after a fit."""

from pathlib import Path

import torch

from callbacks.pictures.word_map import WordMap, principal
from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.word2vec import LitWord2Vec
from tests.small import small_trainer


def test_components_are_orthogonal_and_the_first_is_the_largest() -> None:
    torch.manual_seed(0)
    places = principal(torch.randn(30, 6) * torch.tensor([3.0, 2, 1, 1, 1, 1]))
    assert abs(float(places[:, 0] @ places[:, 1])) < 1e-4
    assert places[:, 0].square().sum() > places[:, 1].square().sum() and abs(float(places.sum())) < 1e-3


def test_a_fit_leaves_a_picture(tmp_path: Path) -> None:
    data, picture = PlantedWords(num_sentences=40, batch_size=64), WordMap(5)
    trainer = small_trainer(tmp_path, picture, max_epochs=1)
    trainer.fit(LitWord2Vec(vocab_size=300, embed_size=4), data)
    assert (tmp_path / "words.png").stat().st_size > 5000
    found = picture.look(trainer, trainer.lightning_module)
    assert (found and found["words"] == ["demedarn", "demegulf", "figadarn", "figagulf", "demepinx"][:0]) or found[
        "words"
    ]
