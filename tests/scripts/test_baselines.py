"""What a number is read against: a text's baseline sees words, not their numbers."""

from pathlib import Path

import numpy as np
import torch

from datamodules.text.text_table import TextTable
from scripts.baselines import bag_of_tokens, baselines


def test_tokens_are_counted_and_padding_is_not() -> None:
    bag = bag_of_tokens(np.array([[3.0, 1.0, 3.0, 0.0], [2.0, 0.0, 0.0, 0.0]]), 5)
    assert bag.toarray().tolist() == [[0, 1, 0, 2, 0], [0, 0, 1, 0, 0]]


def test_a_word_that_decides_is_found_wherever_it_stands(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    fill = ["the", "a", "of", "it", "was", "and"]

    def line(word: str) -> str:
        words = [fill[i] for i in torch.randint(6, (5,), generator=generator).tolist()]
        words.insert(int(torch.randint(6, (1,), generator=generator)), word)
        return " ".join(words)

    path = tmp_path / "mails.csv"
    rows = [f"{line('good')},yes\n{line('bad')},no\n" for _ in range(200)]
    path.write_text("text,label\n" + "".join(rows))
    found = baselines(TextTable(path=str(path), vocab_size=20, seq_len=8))
    assert found["baseline"]["metrics"]["test/acc"] == 1.0 and "counts of tokens" in found["baseline"]["what"]
