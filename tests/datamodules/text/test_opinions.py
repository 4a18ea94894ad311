"""Opinions by rule."""

from datamodules.text.opinions import NEGATIONS, WORDS, Opinions


def opinion(text: str) -> int:
    """The opinion by the rules, read off the text."""
    if " but " in text:
        text = text.split(" but ")[1]
    elif text.startswith("although "):
        text = text.split(" , ")[1]
    text = text.split(" although ")[0]
    words = text.split()
    turned = any(word in NEGATIONS for word in words)
    return next(kind for kind, list_ in WORDS.items() if set(list_) & set(words)) ^ turned


def test_opinions_follow_from_the_text_and_are_balanced() -> None:
    data = Opinions(train_size=800, val_size=40, test_size=200)
    found = data.read("fit")
    for texts, y in found.values():
        assert y is not None
        assert [opinion(text) for text in texts] == y.tolist()
    y = found["train"][1]
    assert y is not None and 340 < int(y.sum()) < 460
    assert not set(found["train"][0]) & set(found["test"][0])


def test_all_words_are_in_the_vocabulary_and_no_review_is_cut() -> None:
    data = Opinions(train_size=2000, val_size=40, test_size=200)
    data.setup("fit")
    x = data.splits["train"][0]
    assert int((x == 1).sum()) == 0 and int((x[:, -1] != 0).sum()) == 0 and not data.facts
