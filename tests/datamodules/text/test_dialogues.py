"""Dialogues: right answers, forms that training does not have, words that it has."""

import random
import re

import pytest

from common.messages import UserError
from datamodules.text.dialogue_forms import FORMS
from datamodules.text.dialogues import Dialogues, Turn, facts


def lines(data: Dialogues, split: str, count: int) -> list[list[str]]:
    """Question, answer, question, answer of some dialogues."""
    draw = random.Random(0)
    return ["".join(token for token, _ in data.dialogue(draw, split)).split("\n")[:4] for _ in range(count)]


def test_answers_are_those_of_cldr_and_of_arithmetic() -> None:
    known = {turn.things: turn.answer for kind in ("currency", "weekday") for turn in facts()[kind]}
    assert known["Kenya",] == "Kenyan Shilling" and known["Monday", "Swahili"] == "Jumatatu"
    assert Turn("language", ("Brazil",), "Portuguese") in facts()["language"]
    sums = [(q, a) for talk in lines(Dialogues(), "test", 200) for q, a in (talk[:2], talk[2:]) if a.isdigit()]
    assert len(sums) > 30 and all(sum(map(int, re.findall(r"\d+", q))) == int(a) for q, a in sums)


def test_only_answers_are_targets_and_rows_fit() -> None:
    data = Dialogues(train_size=300, val_size=50, test_size=300, seq_len=36)
    data.setup("fit")
    tokens, targets = data.transform(data.splits["test"])
    for row, target in zip(tokens[:50], targets[:50], strict=True):
        asked = data.tokenizer.decode(target[target >= 0].tolist())
        text = data.tokenizer.decode(row.tolist()) + "\n"
        assert asked == "\n".join(text.split("\n")[1:4:2]) + "\n"


def test_a_short_second_question_is_about_the_same_thing_of_another_country() -> None:
    kinds = {turn.answer: turn.kind for turn in facts()["currency"] + facts()["language"]}
    short = [talk for talk in lines(Dialogues(), "val", 300) if "what about" in talk[2]]
    assert len(short) > 30 and all(kinds[talk[1]] == kinds[talk[3]] for talk in short)


def test_held_out_forms_are_new_and_made_of_known_words() -> None:
    data, words = Dialogues(), {}
    for kind, forms in FORMS.items():
        assert len({form for part in forms.values() for form in part}) == sum(map(len, forms.values())), kind
    for split in ("train", "val", "test"):
        draw = random.Random(1)
        words[split] = {token for _ in range(4000) for token, answer in data.dialogue(draw, split) if not answer}
    assert not (words["val"] | words["test"]) - words["train"]


def test_one_form_of_each_question_is_the_ablation() -> None:
    asked = {
        re.sub(r"(in|of) .*", "", talk[0]) for talk in lines(Dialogues(forms=1), "train", 300) if "currency" in talk[0]
    }
    assert asked == {"what is the currency ", "please, what is the currency ", "hello! what is the currency "}


def test_what_a_person_types_is_read_in_lower_case_and_the_tokenizer_is_kept() -> None:
    data, other = Dialogues(), Dialogues(largest=5)
    other.load_processor(data.processor())
    for text in data.chat_examples:
        assert not other.tokenizer.unknown_pieces(data.chat_template.replace("{}", text)), text
    assert data.tokenizer.encode("KENYA") == other.tokenizer.encode("kenya")
    assert data.tokenizer.unknown_pieces("why?") == ["why"]


@pytest.mark.parametrize(("name", "value"), [("forms", -1), ("largest", 0), ("vocab_size", 100)])
def test_sizes_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"data.{name} is"):
        Dialogues(**{name: value})  # type: ignore[arg-type]
