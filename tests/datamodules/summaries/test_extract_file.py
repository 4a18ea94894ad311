"""A person's own texts for a network that chooses sentences."""

import json
from pathlib import Path

from datamodules.summaries.extract_file import ExtractFile


def test_a_file_is_split_and_a_new_one_has_a_row_for_each_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("".join(f"One thing {i}. Another thing.\tthing {i}\n" for i in range(6)))
    data = ExtractFile(str(tmp_path / "a.tsv"), vocab_size=80, batch_size=2)
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [4, 1, 1]
    (tmp_path / "new.txt").write_text("First one. Second one.\n\nThird one.\n")
    other = ExtractFile(str(tmp_path / "new.txt"), vocab_size=80)
    other.load_processor(json.loads(json.dumps(data.processor())))
    other.setup("predict")
    assert other.splits["predict"][1].tolist() == [0, 2] and other.predict_names == ["1", "3"]
    assert other.document_sentences["predict"] == ["First one.", "Second one.", "Third one."]
    assert other.predict_cells == {"source": ["First one. Second one.", "Third one."]}
