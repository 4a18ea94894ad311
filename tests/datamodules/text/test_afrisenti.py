"""Tweets in Igbo and Swahili."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.text.afrisenti import AfriSenti, read_tweets


def test_a_tab_within_a_tweet_is_its_own_and_an_unknown_class_is_named_by_its_line(tmp_path: Path) -> None:
    (path := tmp_path / "t.tsv").write_text("tweet\tlabel\nọ dị\tmma\u2028\tpositive\nọjọọ\tnegative\n")
    texts, y = read_tweets(str(path))
    assert texts == ["ọ dị\tmma\u2028", "ọjọọ"] and y.tolist() == [2, 0]
    path.write_text("tweet\tlabel\nọ dị mma\tgood\n")
    with pytest.raises(UserError, match="line 2: 'good' is none of negative"):
        read_tweets(str(path))


def test_word_dropout_makes_tokens_unknown_and_keeps_padding() -> None:
    data = AfriSenti(word_dropout=0.5)
    x = torch.cat([torch.full((20, 30), 7), torch.zeros(20, 5, dtype=torch.long)], 1)
    found, _ = data.augment((x, torch.zeros(20)))
    assert 0.4 < (found[:, :30] == 1).float().mean() < 0.6 and int(found[:, 30:].sum()) == 0
    with pytest.raises(UserError, match=r"data\.word_dropout is 1"):
        AfriSenti(word_dropout=1.0)


@pytest.mark.realdata
def test_published_files() -> None:
    for language, counts in (("swa", (1810, 453, 748)), ("ibo", (10_192, 1841, 3682))):
        found = AfriSenti(language=language).read("fit")  # type: ignore[arg-type]
        assert tuple(len(texts) for texts, _ in found.values()) == counts
