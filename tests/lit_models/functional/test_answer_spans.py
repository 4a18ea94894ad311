"""Best spans: against a plain loop; windows of one question."""

import torch

from lit_models.functional.answer_spans import Candidate, best_spans, by_question


def test_best_spans_are_those_of_a_loop() -> None:
    torch.manual_seed(0)
    start, end = torch.randn(2, 9), torch.randn(2, 9)
    passage = torch.ones(2, 9).bool()
    passage[:, :3], passage[1, 7:] = False, False
    scores, first, last = best_spans(start, end, passage, 4, longest=3)
    for b in range(2):
        found = sorted(
            (float(start[b, i] + end[b, j]), i, j)
            for i in range(9)
            for j in range(i, min(9, i + 3))
            if passage[b, i] and passage[b, j]
        )[::-1][:4]
        torch.testing.assert_close(scores[b], torch.tensor([s for s, _, _ in found]))
        assert list(zip(first[b].tolist(), last[b].tolist(), strict=True)) == [(i, j) for _, i, j in found]


def test_a_passage_of_one_token_has_one_span() -> None:
    passage = torch.tensor([[False, True]])
    scores, first, last = best_spans(torch.zeros(1, 2), torch.zeros(1, 2), passage, 3, 5)
    assert (scores > -torch.inf).tolist() == [[True, False, False]] and (first[0, 0], last[0, 0]) == (1, 1)


def test_windows_of_a_question_compete_and_the_lowest_score_of_nothing_counts() -> None:
    inf = float("inf")
    windows = torch.tensor(
        [[0, 1.0, 2.0, 5, 6, -inf, 0, 0], [1, -1.0, 3.0, 4, 4, 1.0, 2, 3], [2, 0.5, 0.0, 1, 1, -inf, 0, 0]]
    )
    found = by_question(windows, torch.tensor([7, 7, 8]))
    assert found[7] == (-1.0, [Candidate(3.0, 1, 4, 4), Candidate(2.0, 0, 5, 6), Candidate(1.0, 1, 2, 3)])
    assert found[8] == (0.5, [Candidate(0.0, 2, 1, 1)])
