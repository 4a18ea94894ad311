"""The task of word vectors: what it logs and predicts."""

from pathlib import Path

import torch

from datamodules.text.planted_words import PlantedWords
from lit_models.embeddings.word2vec import LitWord2Vec
from tests.small import small_trainer


def test_prediction_is_the_vector_of_each_word(tmp_path: Path) -> None:
    data = PlantedWords(num_sentences=60, batch_size=32, eval_batch_size=64)
    model = LitWord2Vec(vocab_size=300, embed_size=4)
    parts = small_trainer(tmp_path, max_epochs=1).predict(model, data)
    vectors = torch.cat([part["vector"] for part in parts or []])  # type: ignore[call-overload,index]
    assert data.predict_names == data.vocabulary
    assert torch.equal(vectors, model.vectors()[: len(data.vocabulary or [])])


def test_loss_is_the_mean_over_all_pairs_whatever_the_batches(tmp_path: Path) -> None:
    found = []
    for size in (16, 1000):
        data = PlantedWords(num_sentences=100, eval_batch_size=size)
        torch.manual_seed(0)
        model = LitWord2Vec(vocab_size=300, embed_size=4, softmax="hierarchical")
        torch.nn.init.normal_(model.net.output.weight)  # type: ignore[union-attr,arg-type]
        found.append(small_trainer(tmp_path, max_epochs=1).test(model, data, verbose=False)[0]["test/loss"])
    assert abs(found[0] - found[1]) < 1e-5
