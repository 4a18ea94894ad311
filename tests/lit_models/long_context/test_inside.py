"""Seeing inside: each measure on inputs whose answer is known."""

import torch
from torch import Tensor

from lit_models.long_context.inside import (
    activation_patching,
    control_labels,
    induction_score,
    last_occurrence,
    logit_lens,
    previous_score,
    probe_accuracy,
)


def test_the_last_occurrence_is_the_nearest_one() -> None:
    assert last_occurrence(torch.tensor([[3, 5, 3, 4, 3]])).tolist() == [[-1, -1, 0, -1, 2]]


def test_perfect_heads_have_score_one_and_uniform_ones_do_not() -> None:
    tokens = torch.tensor([[1, 2, 3, 1, 2, 3]])
    induction, previous = torch.zeros(1, 2, 6, 6), torch.zeros(1, 2, 6, 6)
    induction[0, 0, [3, 4, 5], [1, 2, 3]] = 1
    induction[0, 1] = 1 / 6
    previous[0, 0, range(1, 6), range(5)] = 1
    torch.testing.assert_close(induction_score(induction, tokens), torch.tensor([1, 1 / 6]))
    assert previous_score(previous).tolist() == [1, 0]


def test_the_lens_shows_the_layer_that_finds_the_answer() -> None:
    targets = torch.tensor([[2, -1]])
    before, after = torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)
    after[0, 0, 2] = 20
    lens = logit_lens([before, after], lambda x: x, targets)
    torch.testing.assert_close(lens, torch.tensor([0.25, 1.0]))


def test_patching_finds_the_place_that_the_answer_was_read_from() -> None:
    """A network whose one layer copies the place 1 to the end."""

    def streams(tokens: Tensor) -> list[Tensor]:
        x = torch.nn.functional.one_hot(tokens, 5).float()
        y = x.clone()
        y[:, -1] = x[:, 1]
        return [x, y]

    def run(tokens: Tensor, layer: int, stream: Tensor | None) -> Tensor:
        x = streams(tokens)[0] if stream is None else stream
        if layer == 0:
            x = torch.cat([x[:, :-1], x[:, 1:2]], 1)
        return x

    right, wrong = torch.tensor([[0, 3, 1, 2]]), torch.tensor([[0, 4, 1, 2]])
    found = activation_patching(run, streams(right), streams(wrong), wrong, torch.tensor([3]))
    assert found.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_a_probe_reads_what_is_linear_and_fails_at_a_task_of_single_tokens() -> None:
    """40 token vectors in four dimensions: their sign is a direction, random classes of 40 tokens are none."""
    torch.manual_seed(0)
    tokens, table = torch.randint(40, (4000,)), torch.randn(40, 4)
    features = table[tokens]
    real = probe_accuracy(features, (features[:, 0] > 0).long(), 2)
    control = probe_accuracy(features, control_labels(tokens, 2), 2)
    assert real > 0.9 and control < 0.8


def test_a_token_always_has_the_same_control_label() -> None:
    tokens = torch.tensor([5, 1, 5, 1])
    labels = control_labels(tokens, 100)
    assert labels[0] == labels[2] and labels[1] == labels[3] and labels[0] != labels[1]
