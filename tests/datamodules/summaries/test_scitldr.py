"""SciTLDR: its published layout, and on the files themselves the known ROUGE of its floors and of its ceiling."""

import json
from pathlib import Path

import pytest

from datamodules.summaries.scitldr import FILES, SciTLDR, read_scitldr
from lit_models.functional.rouge import corpus_rouge
from lit_models.summarization.selection import greedy_oracle, joined, lead
from lit_models.summarization.textrank import textrank


def test_its_layout_is_read_and_training_can_be_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    folder = tmp_path / "scitldr/SciTLDR-A"
    folder.mkdir(parents=True)
    for name, (file, _) in FILES.items():
        rows = [{"source": [f"{name} one.", "Two.\n"], "target": ["t", "u"], "paper_id": "x"}] * 3
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    parts = SciTLDR(train_size=2).read("fit")
    assert {name: len(found) for name, found in parts.items()} == {"train": 2, "val": 3, "test": 3}
    assert parts["test"][0].sentences == ["test one.", "Two."] and parts["test"][0].summaries == ["t", "u"]


@pytest.mark.realdata("scitldr")
def test_it_has_the_published_numbers_of_abstracts() -> None:
    assert {name: len(read_scitldr(name)) for name in FILES} == {"train": 1992, "val": 619, "test": 618}


@pytest.mark.realdata("scitldr")
@pytest.mark.slow
def test_the_first_sentence_and_the_best_one_have_their_known_rouge() -> None:
    """Of the test, by stems, against the best reference; scored independently of this project."""
    found = read_scitldr("test")
    references = [document.summaries for document in found]
    first = [joined(d.sentences, lead(d.sentences, 1)) for d in found]
    best = [joined(d.sentences, greedy_oracle(d.sentences, d.summaries, 1, True, by=("r1",))) for d in found]
    ranked = [joined(d.sentences, textrank(d.sentences, 1, True)) for d in found]
    scores = [corpus_rouge(texts, references, stem=True) for texts in (first, best, ranked)]
    assert list(scores[0].values()) == pytest.approx([31.3, 11.4, 24.1], abs=0.06)
    assert list(scores[1].values()) == pytest.approx([49.3, 26.1, 40.0], abs=0.06)
    assert list(scores[2].values()) == pytest.approx([35.9, 12.1, 25.9], abs=0.06)  # of the page
