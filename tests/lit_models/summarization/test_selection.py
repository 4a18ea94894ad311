"""The first sentences, and the best ones by ROUGE."""

from lit_models.functional.rouge import rouge
from lit_models.summarization.selection import greedy_oracle, joined, lead

SENTENCES = ["the sun rose early", "kenya and uganda met", "nobody spoke", "they met on monday in nairobi"]


def test_lead_takes_the_first_ones_and_no_more_than_there_are() -> None:
    assert lead(SENTENCES, 2) == [0, 1] and lead(SENTENCES, 9) == [0, 1, 2, 3]


def test_the_oracle_takes_what_raises_rouge_and_stops_where_nothing_does() -> None:
    summary = ["kenya and uganda met they met on monday"]
    assert greedy_oracle(SENTENCES, summary, 3) == [1, 3]
    assert greedy_oracle(SENTENCES, summary, 1) == [1]  # a sentence of many other words lowers the precision
    assert greedy_oracle(SENTENCES, ["something else entirely"], 3) == []
    assert greedy_oracle([], summary, 3) == []


def test_one_sentence_of_the_oracle_is_the_best_of_all() -> None:
    references = ["they spoke in nairobi", "the sun rose"]
    scores = [rouge(sentence, references)["r1"] for sentence in SENTENCES]
    assert greedy_oracle(SENTENCES, references, 1, by=("r1",)) == [scores.index(max(scores))] == [0]


def test_chosen_sentences_come_in_the_order_of_the_document() -> None:
    assert joined(["a ", "b", "c"], [2, 0]) == "a c"
