"""Word vectors: all sides work on the same text, and prepare as many pairs."""

import pytest

from scripts.evidence import bench
from scripts.evidence.benches import embeddings


def test_both_sides_prepare_as_many_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "WORDS", 20_000)
    embeddings.text.cache_clear()
    try:
        ours, book = embeddings.our_pairs(), embeddings.book_pairs()
        assert 0.9 < ours / book < 1.1  # windows are drawn
        examples = embeddings.book_examples()[:64]
        center, words, real, positive = embeddings.padded(examples)
        assert center.shape == (64, 1) and words.shape == real.shape == positive.shape
        for row, (_, context, negatives) in enumerate(examples):
            assert words[row, positive[row].bool()].tolist() == context
            assert len(negatives) == 5 * len(context) == int(real[row].sum()) - len(context)
            assert not set(context) & set(negatives)
    finally:
        embeddings.text.cache_clear()


@pytest.mark.slow
def test_all_sides_train(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gensim")
    monkeypatch.setattr(embeddings, "WORDS", 20_000)
    embeddings.text.cache_clear()
    embeddings.prepared.cache_clear()
    try:
        with bench.quiet():
            rows = embeddings.measure(1, 1, lambda line: None, steps=2)
    finally:
        embeddings.text.cache_clear()
        embeddings.prepared.cache_clear()
    assert [(row["workload"], row["side"]) for row in rows] == [
        *(("pairs", "ours"), ("pairs", "d2l"), ("word2vec", "ours"), ("word2vec", "d2l")),
        *(("words", "ours"), ("words", "gensim")),
    ]
    assert all(row["rates"][0] > 0 for row in rows)
