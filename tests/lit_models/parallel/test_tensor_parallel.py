"""The order of rows in a divided attention, in one process; runs of two are in tests/distributed."""

import pytest
import torch

from lit_models.layers.feed_forward import FeedForward, SwiGLU
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.parallel.tensor_parallel import OwnHeads, blocks_of, by_process, divisible


def test_each_process_has_its_part_of_queries_keys_and_values() -> None:
    order = by_process((4, 2, 2), 2).tolist()
    assert order == [0, 1, 4, 6, 2, 3, 5, 7]
    assert by_process((6,), 3).tolist() == list(range(6))


def test_blocks_are_the_matrices_that_lie_in_one() -> None:
    assert blocks_of(MultiHeadAttention(8, 4, 2)) == (8, 4, 4)
    assert blocks_of(SwiGLU(4, 6)) == (6, 6) and blocks_of(FeedForward(4, 6)) == (6,)


def test_attention_to_an_encoder_stays_whole() -> None:
    from lit_models.attention.transformer import Transformer

    net = Transformer(9, 9, hidden_size=8, num_heads=2, num_layers=1, ffn_size=4)
    names = [name for name, _ in divisible(net)]
    assert len(names) == 4 and not any("cross" in name for name in names)


@pytest.mark.parametrize("causal", [True, False])
def test_all_heads_of_one_process_are_the_whole_attention(causal: bool) -> None:
    whole = MultiHeadAttention(8, 4, 2, causal=causal)
    x = torch.rand(2, 5, 8)
    expected = whole(x)
    whole.__class__ = OwnHeads
    torch.testing.assert_close(whole(x), expected)
    with pytest.raises(ValueError, match="for training"):
        whole(x, memory=x)
