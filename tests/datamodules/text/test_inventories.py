"""Entailment over many words."""

from zlib import crc32

from datamodules.text.entailment import CLASSES
from datamodules.text.inventories import KIND, PARTS, THINGS, Inventories


def relation(premise: str, hypothesis: str) -> str:
    """The class by the rules, read off the sentences."""
    inside = {word for word in premise.split() if word in KIND}
    inside |= {KIND[word] for word in inside}
    said = [word for word in hypothesis.split() if word in KIND or word in THINGS]
    if " no " in f" {hypothesis} ":
        return "contradiction" if said[0] in inside else "neutral"
    return "entailment" if set(said) <= inside else "neutral"


def test_labels_follow_from_what_is_said() -> None:
    data = Inventories(train_size=600, val_size=50, test_size=100)
    parts = data.read("fit")
    for first, second, y in parts.values():
        assert y is not None and second is not None
        for premise, hypothesis, label in zip(first, second, y.tolist(), strict=True):
            assert relation(premise, hypothesis) == CLASSES[label], (premise, hypothesis)
    y = parts["train"][2]
    assert y is not None and (y.bincount() > 150).all()
    for name, (first, _, _) in parts.items():
        assert {PARTS[crc32(premise.encode()) % len(PARTS)] for premise in first} == {name}


def test_every_word_is_one_token() -> None:
    data = Inventories(train_size=2000, val_size=20, test_size=20)
    data.setup("fit")
    assert data.tokenizer is not None
    assert [word for word in (*KIND, *THINGS) if len(data.tokenizer.encode(word)) != 1] == []
