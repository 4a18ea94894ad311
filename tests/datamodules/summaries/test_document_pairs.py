"""Documents and summaries as pairs: what a subclass supplies, and what ``predict`` gets."""

import pytest

from common.messages import UserError
from datamodules.summaries.document_pairs import DocumentPairs
from datamodules.summaries.documents import Document


class Given(DocumentPairs):
    """Documents of a test."""

    def documents(self, stage: str) -> dict[str, list[Document]]:
        found = [Document([f"Town{i} is big.", "It rains."], [f"Town{i}", "rain"], i + 1) for i in range(4)]
        parts = {"train": found[:2], "val": found[2:3], "test": found[3:]}
        return {"predict": parts["test"]} if stage == "predict" else parts


def test_training_has_each_summary_and_the_test_the_first_one() -> None:
    data = Given(12, 12, max_length=4)
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [4, 1, 1]
    assert data.reference_sets["test"] == [["Town3", "rain"]] and data.references["test"] == ["Town3"]
    assert data.sources["test"] == ["Town3 is big. It rains."]


def test_a_new_document_is_named_by_its_line_and_needs_a_vocabulary() -> None:
    trained, data = Given(12, 12), Given(12, 12)
    trained.setup("fit")
    with pytest.raises(UserError, match="needs a trained run"):
        data.setup("predict")
    data.load_processor(trained.processor())
    data.setup("predict")
    assert data.predict_names == ["4"] and data.predict_cells["source"] == ["Town3 is big. It rains."]


def test_long_documents_are_cut_and_said() -> None:
    data = Given(12, 12, longest_source=4)
    data.setup("fit")
    assert all(int(length) == 4 for length in data.splits["train"][1])
    assert "are longer than 4 tokens: cut at the end" in data.facts[-1]
