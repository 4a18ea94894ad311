"""A text in several languages: rows of one language, lines in one split, refused arguments."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.text.mixed_languages import MixedLanguages


def small(**settings: Any) -> MixedLanguages:
    return MixedLanguages(["de", "sw"], **({"lines": 100, "vocab_size": 100, "seq_len": 16} | settings))


def test_rows_are_of_one_language_and_targets_are_the_next_tokens() -> None:
    data = small()
    data.setup("test")
    tokens, targets = data.splits["test"]
    owner = data.subsets["test"]
    assert [a + b for a, b in zip(owner["de"], owner["sw"], strict=True)] == [1] * len(tokens)
    german = torch.tensor(owner["de"])
    last = int(german.sum()) - 1
    assert torch.equal(tokens[:last, 1:], targets[:last, :-1])  # within a row
    assert torch.equal(tokens[1:last, 0], targets[: last - 1, -1])  # and from row to row of a language
    assert data.tokenizer is not None
    real = targets[german].flatten()
    text = data.tokenizer.decode([int(tokens[0, 0]), *real[real >= 0].tolist()])
    assert text == data.divided("de")["test"]


def test_no_line_is_in_two_splits() -> None:
    parts = {name: set(text.splitlines()) for name, text in small().divided("sw").items()}
    assert len(set.union(*parts.values())) == sum(map(len, parts.values())) == 100


def test_one_language_an_unknown_one_and_too_many_lines_are_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="give at least two"):
        MixedLanguages(["de", "de"])
    with pytest.raises(UserError, match="CLDR has no language 'xx'"):
        MixedLanguages(["de", "xx"]).setup("fit")
    monkeypatch.setattr("datamodules.text.mixed_languages.FACTS_OF_A_DRAW", 0)
    with pytest.raises(UserError, match="give fewer"):
        small().divided("de")
