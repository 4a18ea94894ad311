"""Planted facts: answers stand where they are said to, and no test function or name is in training."""

import pytest

from common.messages import UserError
from datamodules.text.recorded_facts import RecordedFacts, documented_functions


def small() -> RecordedFacts:
    return RecordedFacts("[a-c]*.py", vocab_size=1200, train_size=64, versions=2)


def test_answers_stand_in_their_passages_and_the_test_has_other_functions_and_names() -> None:
    found = small().read("fit")
    for functions in found.values():
        for f in functions:
            assert len(f.facts) == 2 and f.passage.startswith(f.name)
            assert all(f.passage[start : start + len(fact)] == fact for fact, start in f.facts.values())
    assert not {f.name for f in found["train"]} & {f.name for f in found["test"]}
    facts = [{fact for f in found[part] for fact, _ in f.facts.values()} for part in ("train", "test")]
    assert not facts[0] & facts[1]
    assert len(found["train"]) == 2 * len({f.name for f in found["train"]})


def test_rows_have_the_answer_at_its_place_and_the_index_has_all_passages() -> None:
    data = small()
    data.setup("fit")
    found = data.read("fit")
    assert data.tokenizer is not None and len(data.passages) == sum(map(len, found.values()))
    everything = [f for part in ("train", "val", "test") for f in found[part]]
    questions, numbers, spans = data.splits["test"]
    for question, k, (first, last) in zip(questions[:20], numbers.tolist(), spans.tolist(), strict=False):
        answer = data.tokenizer.model.decode(data.passages[k, first : last + 1].tolist()).replace(" ", "")
        assert answer in {fact.replace(" ", "") for fact, _ in everything[k].facts.values()}
        asked = data.tokenizer.model.decode(question.tolist()).replace(" ", "")
        assert everything[k].name.replace("_", "") in asked.replace("_", "") or int(question[-1]) != 0
    recall = data.baselines()["baseline"]["metrics"]["test/recall"]
    assert 0.5 < recall <= 1


def test_functions_are_those_of_the_standard_library_with_its_words() -> None:
    found = dict(documented_functions("abc.py", 4))
    assert found["abc.abstractmethod"] == "A decorator indicating abstract."


def test_mistakes_are_one_line() -> None:
    with pytest.raises(UserError, match=r"data\.files 'zzz\*\.py': 0 documented functions"):
        RecordedFacts("zzz*.py").read("fit")
    with pytest.raises(UserError, match="must fit"):
        RecordedFacts(max_length=60)
