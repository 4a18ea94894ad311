"""The planted text: what its tests claim is true of its counts."""

from collections import Counter
from itertools import chain

import pytest

from datamodules.text.planted_words import HIDDEN, PlantedWords, generate, name_of


def planted() -> PlantedWords:
    data = PlantedWords(num_sentences=2000)
    data.setup("fit")
    return data


def test_hidden_things_never_occur_and_all_other_words_do() -> None:
    data = planted()
    assert len(data.vocabulary or []) == 296 <= data.vocab_size
    assert not {name_of(*thing) for thing in HIDDEN} & set(data.vocabulary or [])


def test_synonyms_have_the_same_neighbors_and_other_things_do_not() -> None:
    neighbors = {name: Counter() for name in (name_of(0, 0), name_of(0, 0, True), name_of(1, 1))}  # type: ignore[var-annotated]
    for line in generate(12_000):
        if line[5] in neighbors:
            neighbors[line[5]].update(w for w in line if w[:4] in ("baku", "limo", "darn", "mest") and w != line[5])
    first, second, other = (set(counts) for counts in neighbors.values())
    assert first == second and not first & other


def test_questions_are_of_words_that_occur_and_no_word_answers_itself() -> None:
    data = planted()
    words = set(data.vocabulary or [])
    questions = data.word_tests["analogies"]["analogies"]
    assert len(questions) == 144 and set(chain(*questions)) <= words
    assert all(len(set(row)) == 4 for row in questions)
    assert all(set(good) <= words and good for _, good in data.word_tests["unseen"]["unseen"])


@pytest.mark.parametrize("count", [1, 50])
def test_text_is_always_the_same(count: int) -> None:
    assert generate(count) == generate(count) and len(generate(count)) == count
