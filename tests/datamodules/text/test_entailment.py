"""Entailment by rule: the labels follow from the sentences."""

from datamodules.text.entailment import ACTS, CLASSES, KINDS, PLACES, Entailment


def contained(premise: str, hypothesis: str) -> bool:
    """Whether all that the hypothesis says is in the premise, or more general than it."""
    above = {word: kind for table in (KINDS, ACTS) for kind, words in table.items() for word in words}
    known = set(premise.split()[1:]) | {above[w] for w in premise.split() if w in above}
    return set(hypothesis.split()[1:]) <= known


def test_labels_follow_from_what_is_said() -> None:
    data = Entailment(train_size=600, val_size=50, test_size=100)
    for first, second, y in data.read("fit").values():
        assert y is not None and second is not None
        for premise, hypothesis, label in zip(first, second, y.tolist(), strict=True):
            name = CLASSES[label]
            assert hypothesis.startswith("no ") == (name == "contradiction")
            assert contained(premise, hypothesis) == (name != "neutral"), (premise, hypothesis)


def test_classes_are_balanced_and_no_premise_of_the_test_is_in_training() -> None:
    data = Entailment(train_size=900)
    parts = data.read("fit")
    y = parts["train"][2]
    assert y is not None and (y.bincount() > 240).all()
    assert not set(parts["train"][0]) & set(parts["test"][0])


def test_the_vocabulary_has_every_word() -> None:
    data = Entailment(train_size=2000)
    data.setup("fit")
    assert data.tokenizer is not None
    assert all(len(data.tokenizer.encode(place)) == 1 for place in PLACES)
    assert int((data.splits["train"][0] == 1).sum()) == 0
