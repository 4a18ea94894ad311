"""What all versions share: the state, the first values, any length and depth."""

import math

import pytest
import torch
from torch import nn

from common.messages import UserError
from lit_models.rwkv.rwkv import rwkv
from lit_models.rwkv.skeleton import Sizes, shift
from tests.lit_models.rwkv.networks import VERSIONS, small


def test_shift_puts_the_last_token_before_the_first() -> None:
    x, last = torch.randn(2, 3, 4), torch.randn(2, 4)
    assert torch.equal(shift(x, last), torch.stack([last, x[:, 0], x[:, 1]], 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_token_by_token_and_in_pieces_equals_the_whole(version: int) -> None:
    net, tokens = small(version), torch.randint(11, (3, 40))
    whole = net(tokens)
    for sizes in ([1] * 40, [3, 17, 1, 19]):
        parts, state = [], None
        for piece in tokens.split(sizes, 1):
            logits, state = net.decode(piece, state)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, 1), whole)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_is_not_changed_by_what_follows_it(version: int) -> None:
    net, tokens = small(version), torch.randint(11, (2, 9))
    _, state = net.decode(tokens, None)
    copies = [[t.clone() for t in layer] for layer in state]
    first = net.decode(tokens, state)[0]
    net.decode(tokens[:, :1], state)
    assert all(torch.equal(a, b) for l1, l2 in zip(copies, state, strict=True) for a, b in zip(l1, l2, strict=True))
    assert torch.equal(net.decode(tokens, state)[0], first)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_has_a_size_that_does_not_grow(version: int) -> None:
    net = small(version)
    sizes = [[t.shape for layer in net.decode(torch.randint(11, (1, n)), None)[1] for t in layer] for n in (1, 50)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_of_one_layer_has_finite_first_values(version: int) -> None:
    net = rwkv(9, version, 16, 1, 8)  # type: ignore[arg-type]
    assert all(bool(p.isfinite().all()) for p in net.parameters())
    assert bool(net(torch.zeros(1, 3, dtype=torch.long)).isfinite().all())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_copy_for_decoding_has_the_same_numbers(version: int) -> None:
    net, tokens = small(version).float(), torch.randint(11, (2, 5))
    copy = net.for_decoding()
    assert not any(isinstance(module, nn.Linear) for module in copy.modules())
    with torch.no_grad():
        _, state = copy.decode(tokens[:, :4], None)
        torch.testing.assert_close(copy.decode(tokens[:, 4:], state)[0], net(tokens)[:, 4:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_mixture_of_present_and_past_sees_the_token_before(version: int) -> None:
    net = small(version, 1)
    other = torch.tensor([[2, 1, 1]])
    assert not torch.allclose(net(torch.tensor([[1, 1, 1]]))[0, 1], net(other)[0, 1])


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r"hidden_size 100 is not a multiple of model[.]head_size 64"):
        rwkv(9, 7, 100)


# -- first values, by the formulas of RWKV-LM's generate_init_weight ------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_first_values_of_matrices(version: int) -> None:
    torch.manual_seed(0)
    net = rwkv(100, version, 64, 3, 32)  # type: ignore[arg-type]
    matrices = dict(net.named_parameters())
    assert matrices["emb.weight"].abs().max() <= 1e-4 < 1.1 * float(matrices["emb.weight"].abs().max())
    assert_orthogonal(matrices["head.weight"], 0.5 * math.sqrt(100 / 64))
    att, ffn = "blocks.1.att.", "blocks.1.ffn."
    silent = {att + "output.weight", ffn + "value.weight"} | ({ffn + "receptance.weight"} if version < 7 else set())
    silent |= {att + "key.weight", att + "receptance.weight"} if version == 4 else set()
    for name, p in matrices.items():
        if name.startswith("blocks.1") and name.endswith(".weight") and p.ndim == 2:
            if name in silent:
                assert not p.any(), name
            else:
                small_gain = name in (att + "key.weight", att + "gate.weight")
                tall = math.sqrt(max(1, p.shape[0] / p.shape[1])) if version == 4 else 1
                assert_orthogonal(p, 0.1 if small_gain else tall)


def assert_orthogonal(p: torch.Tensor, gain: float) -> None:
    p = p if p.shape[0] >= p.shape[1] else p.T
    torch.testing.assert_close(p.T @ p, gain**2 * torch.eye(p.shape[1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("version", [5, 6, 7])
def test_the_outputs_of_deeper_layers_are_normalized_to_more(version: int) -> None:
    net = rwkv(9, version, 16, 3, 8)  # type: ignore[arg-type]
    scales = [float(net.blocks[i].att.ln_x.weight[0]) for i in range(3)]  # type: ignore[union-attr, index, arg-type]
    assert scales == pytest.approx([(n / 3) ** 0.7 for n in (1, 2, 3)])


def test_depth_and_height_of_the_first_and_last_layer() -> None:
    layers = [Sizes(9, 4, 3, 2, 8, layer=i) for i in range(3)]
    assert [layer.depth for layer in layers] == [0, 0.5, 1]
    assert [layer.height for layer in layers] == pytest.approx([1, 2 / 3, 1 / 3])


def test_layer_norms_begin_as_torch_has_them() -> None:
    net = rwkv(9, 7, 16, 2, 8)
    assert isinstance(net.ln_out, nn.LayerNorm) and net.ln_out.eps == 1e-5 and bool((net.ln_out.weight == 1).all())
