"""The transformer: the battery, and the facts of its own file."""

import pytest
import torch
from torch import Tensor

from lit_models.attention.transformer import LitTransformer, Transformer
from lit_models.functional.state import reorder
from tests.battery import ADAM, Seq2SeqBattery


class TestLitTransformer(Seq2SeqBattery):
    # embeddings 2 * 9 * 16; encoder 4 * 256 + 2 * 32 + FFN; decoder 8 * 256 + 3 * 32 + FFN; head 17 * 9
    ffn = 2 * 16 * 24 + 24 + 16
    parameters = 288 + (1024 + 64 + ffn) + (2048 + 96 + ffn) + 153
    settings: dict[str, object] = {}

    def model(self) -> LitTransformer:
        sizes = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "ffn_size": 24, "dropout": 0.0}
        return LitTransformer(
            source_vocab_size=9, target_vocab_size=9, max_length=8, **sizes, **self.settings, optimizer=ADAM
        )  # type: ignore[arg-type]

    def batch(self) -> tuple[Tensor, ...]:
        source = torch.tensor([[4, 5, 6, 2], [6, 5, 2, 0], [5, 2, 0, 0], [7, 4, 2, 0]])
        target_in = torch.tensor([[1, 6, 5, 4], [1, 5, 6, 0], [1, 5, 0, 0], [1, 4, 7, 0]])
        target_out = torch.tensor([[6, 5, 4, 2], [5, 6, 2, 0], [5, 2, 0, 0], [4, 7, 2, 0]])
        return source, torch.tensor([4, 3, 2, 3]), target_in, target_out


class TestPreNormTied(TestLitTransformer):
    parameters = TestLitTransformer.parameters - 2 * 144 + 2 * 32 + 6 * 16 * 3 - 3 * 16 + 3 * 16
    settings = {"pre_norm": True, "tied": "all", "bias": True}

    def test_parameter_count_is_exact(self) -> None:
        biases = 3 * (3 * 16 + 16)  # of three attentions
        norms = 2 * 32
        expected = TestLitTransformer.parameters - 2 * 9 * 16 + biases + norms
        assert sum(p.numel() for p in self.model().parameters()) == expected


def small(**settings: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(9, 9, 16, 1, 2, 24, 0.0, **settings).double().eval()  # type: ignore[arg-type]


BATCH = TestLitTransformer().batch()


def test_evaluation_does_not_look_at_the_future_as_the_book_does() -> None:
    net, (source, length, target_in, _) = small(), BATCH
    other = target_in.clone()
    other[:, -1] = 8
    torch.testing.assert_close(net(source, length, target_in)[:, :-1], net(source, length, other)[:, :-1])
    broken = small(causal=False)
    assert not torch.allclose(broken(source, length, target_in)[:, :-1], broken(source, length, other)[:, :-1])


def test_a_written_token_stands_at_its_own_position() -> None:
    net, (source, length, target_in, _) = small(), BATCH
    memory = net.encode(source, length)
    _, state = net.decode(target_in[:, :2], memory)
    right = net.decode(target_in[:, 2:3], memory, state)[0]
    torch.testing.assert_close(right, net(source, length, target_in)[:, 2:3])
    assert net.positions is not None
    first = net.positions.table[:1].clone()
    net.positions.table[:] = first  # the book: position 0 for each
    _, state = net.decode(target_in[:, :2], memory)
    assert not torch.allclose(net.decode(target_in[:, 2:3], memory, state)[0], right)


def test_without_positions_a_source_is_a_bag() -> None:
    for positions, same in ((True, False), (False, True)):
        net = small(positions=positions)
        a, b = (net(s, torch.tensor([3]), BATCH[2][:1]) for s in (torch.tensor([[4, 5, 6]]), torch.tensor([[6, 4, 5]])))
        assert torch.allclose(a, b) == same


def test_tied_embeddings_are_one_parameter() -> None:
    net = small(tied="all")
    assert net.head.weight is net.source_embedding.weight is net.target_embedding.weight
    with pytest.raises(ValueError, match=r"data\.shared"):
        Transformer(9, 10, tied="all")


def test_embeddings_and_positions_have_the_same_scale() -> None:
    net = Transformer(1000, 9, 64)
    embedded = net.source_embedding.weight * net.scale
    assert 0.9 < float(embedded.std()) < 1.1


def test_a_reordered_state_goes_on_from_another_row() -> None:
    net, (source, length, target_in, _) = small(), BATCH
    same = source[:1].expand(2, -1), length[:1].expand(2)
    memory = net.encode(*same)
    _, state = net.decode(target_in[:2, :3], memory)
    state.reorder(torch.tensor([1, 0]))
    swapped = net.decode(target_in[:2, 3:], memory, state)[0]
    _, state = net.decode(target_in[[1, 0], :3], memory)
    torch.testing.assert_close(swapped, net.decode(target_in[:2, 3:], memory, state)[0])


def test_a_state_and_its_memory_are_reordered_together() -> None:
    """Rows of a batch have sources of their own: keys and values of the memory are cached, and move with their row."""
    net, (source, length, target_in, _), swap = small(), BATCH, torch.tensor([1, 0])
    memory = net.encode(source[:2], length[:2])
    expected = net(source[:2], length[:2], target_in[:2])[:, 3:][swap]
    _, state = net.decode(target_in[:2, :3], memory)
    state = reorder(state, swap)
    torch.testing.assert_close(net.decode(target_in[swap, 3:], reorder(memory, swap), state)[0], expected)


def test_token_vectors_come_into_both_halves_times_the_root_of_their_size() -> None:
    net, (source, length, target_in, _) = small(positions=False), BATCH
    seen: dict[str, Tensor] = {}
    for name, layers in (("source", net.encoder), ("target", net.decoder)):
        layers[0].register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0]}))
    net(source, length, target_in)
    torch.testing.assert_close(seen["source"], 4 * net.source_embedding.weight[source])  # of 16 features
    torch.testing.assert_close(seen["target"], 4 * net.target_embedding.weight[target_in])
