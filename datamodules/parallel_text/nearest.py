"""Floors of translation: a copy of the source, a translation memory, and each word by itself."""

from typing import Any

from datamodules.parallel_text.word_by_word import WordByWord


def copy_and_nearest(sources: dict[str, list[str]], references: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """``chance``: the source, copied. ``baseline``: the target of the most similar training source, by the cosine of
    tf-idf vectors of character 1- to 4-grams, as a translation memory returns it. ``words``: each word of the source
    replaced by its most probable one (IBM model 1).
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
    table = WordByWord(sources["train"], references["train"])
    words = [table.translate(source) for source in sources["test"]]
    return {
        "words": {"what": "IBM model 1, word by word", "metrics": text_metrics(words, references["test"])},
        "chance": {"what": "the source, copied", "metrics": text_metrics(sources["test"], references["test"])},
        "baseline": {"what": memory, "metrics": text_metrics(outputs, references["test"])},
    }


def text_metrics(outputs: list[str], references: list[str]) -> dict[str, float]:
    """The metrics of sequence-to-sequence tasks: sacreBLEU's BLEU and chrF++, and the fraction of exact matches."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    exact = sum(a == b for a, b in zip(outputs, references, strict=True)) / len(references)
    bleu, chrf = (metric.corpus_score(outputs, [references]).score for metric in (BLEU(), CHRF(word_order=2)))
    return {"test/bleu": bleu, "test/chrf": chrf, "test/exact": exact}
