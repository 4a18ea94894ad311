"""WikiText-2: the published test part, and training without the training part."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.wikitext2 import WikiText2


@pytest.mark.realdata
def test_the_test_part_has_the_published_number_of_words() -> None:
    data = WikiText2()
    data.setup("fit")
    assert len(data.corpus["test"]) == 245_569
    assert len(data.corpus["train"]) + len(data.corpus["val"]) == 217_646


@pytest.mark.realdata
def test_the_absent_training_part_is_named() -> None:
    from datamodules.downloads import data_root

    if (Path(data_root()) / "wikitext-2/wiki.train.tokens").is_file():
        pytest.skip("the training part is here")
    with pytest.raises(UserError, match=r"wiki\.train\.tokens"):
        WikiText2(part="train").texts()


@pytest.mark.realdata
def test_words_and_bytes_of_a_token_make_tokenizers_comparable(monkeypatch: pytest.MonkeyPatch) -> None:
    data = WikiText2(vocab_size=65_530, tokenizer="world")
    assert WikiText2.decided_by_files("world") == {"vocab_size": 65_530}
    text = "A caf\u00e9 <unk> .\n" * 40
    monkeypatch.setattr(data, "texts", lambda: {"train": text, "val": text, "test": text})
    data.setup("fit")
    tokens, units = len(data.corpus["test"]), data.units_per_token["test"]
    assert units["word"] * tokens == pytest.approx(40 * 5) and units["byte"] * tokens == pytest.approx(40 * 16)
    words = WikiText2(vocab_size=30)
    monkeypatch.setattr(words, "texts", lambda: {"train": text, "val": text, "test": text})
    words.setup("fit")
    assert words.units_per_token == {}  # words lose the spaces between them


@pytest.mark.parametrize("tokenizer", ["bpe", "byte"])
def test_an_unk_of_the_text_is_a_token_like_others_where_every_byte_has_one(
    tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = WikiText2(vocab_size=257, tokenizer=tokenizer, seq_len=8)
    text = "A caf\u00e9 <unk> .\n" * 40
    monkeypatch.setattr(data, "texts", lambda: {"train": text, "val": text, "test": text})
    data.setup("fit")
    tokens, units = len(data.corpus["test"]), data.units_per_token["test"]
    assert units["word"] * tokens == pytest.approx(40 * 5) and units["byte"] * tokens == pytest.approx(40 * 16)
    assert data.unknown_bits["test"] == 0 and not [fact for fact in data.facts if "not in the vocabulary" in fact]
