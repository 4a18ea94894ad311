"""A person's own texts for a network that writes."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.summaries.summary_file import SummaryFile


def ready(folder: Path) -> SummaryFile:
    rows = [{"text": f"A thing happened in Town{i}. It was big.", "summary": [f"Town{i}", "big"]} for i in range(8)]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = SummaryFile(str(folder / "a.jsonl"), source_vocab_size=12, target_vocab_size=12, max_length=6)
    data.setup("fit")
    return data


def test_each_summary_is_a_training_row_and_a_test_row_has_all_as_references(tmp_path: Path) -> None:
    data = ready(tmp_path)
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [12, 1, 1]
    assert len(data.reference_sets["test"]) == 1 and data.reference_sets["test"][0][1] == "big"
    assert (
        data.references["test"] == [data.reference_sets["test"][0][0]]
        and data.decode_target(data.splits["test"][3]) == data.references["test"]
    )


def test_every_line_of_a_new_file_is_summarized_with_the_vocabulary_of_the_run(tmp_path: Path) -> None:
    processor = ready(tmp_path).processor()
    (tmp_path / "new.txt").write_text("A thing happened in Paris.\n\nIt was big.\n")
    data = SummaryFile(str(tmp_path / "new.txt"), source_vocab_size=12, target_vocab_size=12)
    with pytest.raises(UserError, match="needs a trained run"):
        data.setup("predict")
    data.load_processor(json.loads(json.dumps(processor)))
    data.setup("predict")
    source, _ = data.splits["predict"]
    assert len(source) == 2 and data.predict_cells["source"][1] == "It was big."
    assert data.predict_names == ["1", "3"]  # the lines of the file, of which one is empty
    assert data.source_tokens(source[0, :5].tolist()) == ["A", "thing", "happened", "in", "Paris"]


def test_the_vocabulary_has_the_words_that_training_has_twice(tmp_path: Path) -> None:
    rows = [{"text": f"A thing happened. It was bi\u0300g, rare{i}.", "summary": ["b\u00ecg", "big"]} for i in range(8)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = SummaryFile(str(tmp_path / "a.jsonl"))
    data.setup("fit")
    assert data.source_tokenizer is not None and len(data.source_tokenizer) == data.source_vocab_size
    words = set(data.source_tokenizer.tokens)
    assert {"A", "thing", "happened", "It", "was", "b\u00ecg", "big", "."} <= words
    assert not any(word.startswith("rare") for word in words)
    assert not any(word.startswith("<unused") for word in words)
    assert SummaryFile(str(tmp_path / "a.jsonl"), source_vocab_size=9).target_vocab_size == 9
    assert data.summary().endswith("train 12, val 1, test 1 pairs of a document and a summary")


def test_without_a_path_the_line_says_what_the_file_has() -> None:
    with pytest.raises(UserError, match=r"data.path is not given: --data.path FILE.jsonl names your texts with summar"):
        SummaryFile()
