"""Decomposable attention: the battery, masks, alignment, symmetry, no order."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.text.decomposable_attention import DecomposableAttention, LitDecomposableAttention
from tests.battery import ADAM, ClassifierBattery

E, H = 8, 10
PAIR = torch.tensor([[2, 5, 6, 7, 3, 8, 6, 3], [2, 9, 3, 5, 3, 0, 0, 0]])


class TestLitDecomposableAttention(ClassifierBattery):
    parameters = 20 * E + H * (E + 1) + H * (2 * E + 1) + H * (2 * H + 1) + 3 * H * (H + 1) + 8 * (H + 1)

    def model(self) -> LitDecomposableAttention:
        sizes = {"embed_size": E, "hidden_size": H, "dropout": 0.0}
        return LitDecomposableAttention(vocab_size=20, num_classes=8, seq_len=9, optimizer=ADAM, **sizes)

    def batch(self) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(5, 20, (8, 9))
        tokens[:, 0], tokens[:, 4], tokens[:, 8] = 2, 3, 3
        return tokens, torch.arange(8)


def small(**arguments: Any) -> DecomposableAttention:
    torch.manual_seed(0)
    return DecomposableAttention(20, 3, **({"embed_size": E, "hidden_size": H} | arguments)).eval().double()


def test_a_word_is_aligned_with_the_other_sentence_only() -> None:
    net = small()
    net.need_weights = True
    net(PAIR)
    assert net.weights is not None
    weights = net.weights[:, 0]
    first, second = net.sides(PAIR)
    assert first.int().tolist() == [[0, 1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]]
    assert second.int().tolist() == [[0, 0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 0, 0, 0, 0]]
    torch.testing.assert_close(weights.sum(2), (first | second).double())
    assert float((weights * first[:, :, None] * ~second[:, None]).sum()) == 0


def test_a_third_part_belongs_to_no_side() -> None:
    first, second = small().sides(torch.tensor([[2, 5, 3, 6, 3, 7, 3]]))
    assert first.nonzero()[:, 1].tolist() == [1] and second.nonzero()[:, 1].tolist() == [3]


def test_padding_changes_neither_answers_nor_gradients() -> None:
    net, found = small(), []
    for rows in (PAIR, F.pad(PAIR, (0, 4))):
        net.zero_grad()
        logits = net(rows)
        logits.square().sum().backward()
        found.append([logits, *(p.grad.clone() for p in net.parameters() if p.grad is not None)])
    torch.testing.assert_close(found[0], found[1])


def test_a_text_without_a_second_one_and_a_row_of_padding_have_answers() -> None:
    assert small()(torch.tensor([[2, 5, 6, 3], [2, 3, 3, 0], [0, 0, 0, 0]])).isfinite().all()


def test_the_order_of_words_does_not_matter_but_the_side_does() -> None:
    net = small()
    shuffled = PAIR[:1, [0, 3, 1, 2, 4, 6, 5, 7]]
    torch.testing.assert_close(net(shuffled), net(PAIR[:1]))
    swapped = torch.tensor([[2, 8, 6, 3, 5, 6, 7, 3]])
    assert not torch.allclose(net(swapped), net(PAIR[:1]))


def test_without_alignment_the_mean_is_compared() -> None:
    net = small(aligned=False)
    net.need_weights = True
    net(PAIR)
    assert net.weights is not None
    torch.testing.assert_close(net.weights[0, 0, 1, 5:7], torch.tensor([0.5, 0.5]).double())
