"""Questions as windows of tokens, and their answers' places."""

from typing import Any

import pytest

from common.messages import UserError
from datamodules.text.questions import Question, QuestionText, starts, token_span, word_offsets

PASSAGE = "Ọjọ́ náà ni Ọjọ́ Àìkú. " + "Then nothing happened for a while. " * 6 + "The country is São Tomé."
QUESTIONS = [
    Question("a", "Which country is it?", PASSAGE, [("São Tomé", PASSAGE.index("São"))]),
    Question("b", "Ọjọ́ wo ni?", PASSAGE, [("Ọjọ́ Àìkú", PASSAGE.index("Ọjọ́ Àìkú"))]),
    Question("c", "Who?", PASSAGE, []),
]


class Asked(QuestionText):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**({"vocab_size": 120, "seq_len": 40, "longest_question": 16, "stride": 8} | arguments))

    def read(self, stage: str) -> dict[str, list[Question]]:
        return (
            {"predict": QUESTIONS} if stage == "predict" else {"train": QUESTIONS, "val": QUESTIONS, "test": QUESTIONS}
        )


def test_the_target_is_the_answer_as_it_was_written_and_outside_its_window_nothing() -> None:
    data = Asked()
    data.setup("fit")
    x, _, span = data.splits["train"]
    assert len(x) > 3 and x.shape[1] <= 40
    found: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for row, (first, last) in enumerate(span.tolist()):
        if last:
            found[data.windows["train"][row].question].append(data.answer_text("train", row, first, last))
    assert set(found[0]) == {"São Tomé"} and set(found[1]) == {"Ọjọ́ Àìkú"} and not found[2]


def test_windows_overlap_and_cover_every_token() -> None:
    assert starts(10, 10, 3) == [0] and starts(11, 10, 3) == [0, 7] and starts(0, 10, 3) == [0]
    for length in range(1, 60):
        covered = {t for first in starts(length, 10, 3) for t in range(first, first + 10)}
        assert set(range(length)) <= covered


def test_a_span_has_all_tokens_that_touch_the_answer() -> None:
    offsets = [(0, 3), (4, 7), (8, 11)]
    assert token_span(offsets, "bcd e", 5) == (1, 2) and token_span(offsets, " ", 3) is None


def test_a_run_reads_new_questions_with_its_own_tokenizer() -> None:
    data, again = Asked(), Asked()
    data.setup("fit")
    again.load_processor(data.processor())
    again.setup("predict")
    assert again.predict_names == ["a", "b", "c"] and len(again.splits["predict"]) == 2
    assert again.predict_cells["question"][0] == "Which country is it?"


def test_a_window_without_room_is_one_line() -> None:
    with pytest.raises(UserError, match="needs room"):
        Asked(seq_len=24, longest_question=16)


def test_the_baseline_is_no_answer() -> None:
    data = Asked()
    data.setup("fit")
    assert data.baselines()["chance"]["metrics"]["test/exact"] == pytest.approx(1 / 3)


def test_an_answer_that_ends_within_a_word_goes_on_to_its_end() -> None:
    offsets, words = [(0, 2), (2, 4), (5, 6), (6, 9)], [0, 0, 1, 2]
    assert word_offsets(offsets, words) == [(0, 4), (0, 4), (5, 6), (6, 9)]  # type: ignore[arg-type]


def test_an_answer_in_a_script_without_spaces_is_not_widened_to_the_next_space() -> None:
    passage = "เมืองหลวงของประเทศไทยคือกรุงเทพมหานคร และ capital is Bangkok"
    start = passage.index("ประเทศไทย")

    class Thai(Asked):
        def read(self, stage: str) -> dict[str, list[Question]]:
            asked = [Question("a", "?", passage, [("ประเทศไทย", start)])]
            return {"train": asked, "val": asked}

    data = Thai(vocab_size=80, seq_len=80)
    data.setup("fit")
    first, last = data.splits["train"][2][0].tolist()
    assert data.answer_text("train", 0, first, last) == "ประเทศไทย"
    row = data.windows["train"][0]
    tokens = range(row.place, row.place + len(data.offsets["train"][0]))
    assert "Bangkok" in {data.answer_text("train", 0, k, k) for k in tokens}


def test_an_answer_is_made_of_whole_words() -> None:
    data = Asked(vocab_size=90)  # so few that words are in pieces
    data.setup("fit")
    row = data.windows["train"][0]
    found = {data.answer_text("train", 0, row.place + k, row.place + k) for k in range(4)}
    assert found <= {*PASSAGE.replace(".", " ").split(), "."} and len(found) < 4
