"""ROUGE: equal to Google's on English, right on other scripts, and the known numbers of SciTLDR."""

import json
import os
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from lit_models.functional.rouge import corpus_rouge, rouge, words_of

TEXTS = [
    "We propose a simple network that reduces the error of translating long sentences by 12%.",
    "A simple network is proposed; it reduced errors in the translation of long sentences.",
    "Long sentences are hard.",
]


@pytest.mark.parametrize("stem", [False, True])
def test_on_english_it_is_googles(stem: bool) -> None:
    google = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
    for output in TEXTS:
        for reference in TEXTS:
            found, expected = rouge(output, [reference], stem), google.score(reference, output)
            assert list(found.values()) == pytest.approx([entry.fmeasure for entry in expected.values()], abs=1e-12)


@pytest.mark.parametrize("text", ["ሰላም ለዓለም፡ደህና።", "Ẹ̀kọ́ ni ọ̀nà", "हिन्दी में पाठ", "می\u200cخواهم بروم", "日本 語"])  # noqa: RUF001
def test_identical_texts_of_any_script_have_the_score_one(text: str) -> None:
    assert rouge(text, [text])["r1"] == 1.0
    assert RougeScorer(["rouge1"]).score(text, text)["rouge1"].fmeasure < 1 or text.startswith("Ẹ")


def test_ethiopic_punctuation_separates_words_and_marks_do_not() -> None:
    assert words_of("ሰላም፡ለዓለም። ẹ̀kọ́ हिन्दी") == ["ሰላም", "ለዓለም", "ẹ̀kọ́", "हिन्दी"]


def test_the_best_reference_counts() -> None:
    assert rouge(TEXTS[0], TEXTS) == rouge(TEXTS[0], [TEXTS[0]])
    assert corpus_rouge([TEXTS[0], TEXTS[2]], [[TEXTS[0]], ["nothing alike"]])["r1"] == pytest.approx(50.0)


@pytest.mark.realdata("scitldr")
@pytest.mark.slow
def test_the_first_sentence_and_the_best_one_of_scitldr() -> None:
    """Known of these files: the lead has 31.3, 11.4 and 24.1, the best single sentence 49.3, 26.1 and 40.0."""
    lines = (Path(os.environ["DIVE_DATA"]) / "scitldr/SciTLDR-A/test.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    lead = corpus_rouge([row["source"][0] for row in rows], [row["target"] for row in rows], stem=True)
    assert list(lead.values()) == pytest.approx([31.3, 11.4, 24.1], abs=0.06)
    best = [max((rouge(s, row["target"], True) for s in row["source"]), key=lambda f: f["r1"]) for row in rows]
    means = [100 * sum(found[name] for found in best) / len(best) for name in ("r1", "r2", "rl")]
    assert means == pytest.approx([49.3, 26.1, 40.0], abs=0.06)
