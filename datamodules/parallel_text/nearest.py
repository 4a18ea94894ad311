"""Baselines of translation: a copy of the source, and a translation memory."""

from typing import Any


def copy_and_nearest(sources: dict[str, list[str]], references: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """``chance``: the source, copied. ``baseline``: the target of the most similar training source, by the cosine of
    tf-idf vectors of character 1- to 4-grams, as a translation memory returns it.
    """
    import sklearn
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False, max_features=50_000)
    known = vectorizer.fit_transform(sources["train"])  # (N, F), sparse
    outputs = []
    for start in range(0, len(sources["test"]), 256):
        asked = vectorizer.transform(sources["test"][start : start + 256])
        nearest = (asked @ known.T).toarray().argmax(1)
        outputs += [references["train"][i] for i in nearest]
    memory = f"the nearest training source's target (character n-grams, scikit-learn {sklearn.__version__})"
    return {
        "chance": {"what": "the source, copied", "metrics": text_metrics(sources["test"], references["test"])},
        "baseline": {"what": memory, "metrics": text_metrics(outputs, references["test"])},
    }


def text_metrics(outputs: list[str], references: list[str]) -> dict[str, float]:
    """The metrics of sequence-to-sequence tasks: sacreBLEU and the fraction of exact matches."""
    from sacrebleu.metrics.bleu import BLEU

    exact = sum(a == b for a, b in zip(outputs, references, strict=True)) / len(references)
    return {"test/bleu": BLEU().corpus_score(outputs, [references]).score, "test/exact": exact}
