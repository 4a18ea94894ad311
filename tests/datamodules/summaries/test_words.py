"""Words, signs and sentences in several scripts."""

import pytest

from datamodules.summaries.words import join_words, sentences, split_words


@pytest.mark.parametrize(
    "text",
    [
        "The day is Monday, March 5, 2018.",
        "Orúkọ orílẹ̀-èdè náà ni Gene-Busau.",
        "የሀገሩ ስም ፓናማ ነው።",
        "It cost $5 (or less): why?",
    ],
)
def test_a_text_comes_back_from_its_words(text: str) -> None:
    assert split_words(join_words(split_words(text))) == split_words(text)
    assert join_words(split_words(text)).replace("$ 5", "$5") == text


def test_a_word_is_the_same_token_wherever_it_stands() -> None:
    assert split_words("Kenya, (Kenya) n'est-ce <sw> 2018.") == "Kenya , ( Kenya ) n'est-ce <sw> 2018 ."
    assert split_words("Ẹ̀kọ́ dára") == "Ẹ̀kọ́ dára"  # marks stay with their letters


def test_sentences_end_at_the_signs_of_their_script_and_not_at_abbreviations() -> None:
    assert sentences("We ask Dr. Smith. He knows 3.5 ways! Why? (See Fig. 2.)") == [
        "We ask Dr. Smith.",
        "He knows 3.5 ways!",
        "Why?",
        "(See Fig. 2.)",
    ]
    assert sentences("ናይሮቢ ዋና ከተማ ናት። ስሙ ነው።") == ["ናይሮቢ ዋና ከተማ ናት።", "ስሙ ነው።"]
    assert sentences("one line\nanother") == ["one line", "another"] and sentences("  ") == []
