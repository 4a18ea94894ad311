"""Bipartite attention: what sums to one, what is independent, what is mended. The published code's numbers are in
test_ganformer.py.
"""

import math
from typing import Any

import pytest
import torch

from lit_models.gan.bipartite import BipartiteAttention, ImageAttention, assigned, sinusoidal_grid


def layer(**options: Any) -> BipartiteAttention:
    torch.manual_seed(0)
    return BipartiteAttention(8, 12, 5, **options)


def inputs() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    shapes = {"x": (2, 24, 8), "latents": (2, 5, 12), "grid": (24, 12), "positions": (5, 12)}
    return {name: torch.randn(*shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("duplex", [False, True])
def test_attention_sums_to_one_over_latents_and_assignments_over_pixels(duplex: bool) -> None:
    out, attention, assignment = layer(duplex=duplex, num_heads=2, iterations=2)(**inputs())
    assert out.shape == (2, 24, 8) and attention.shape == (2, 2, 24, 5)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 2, 24))
    assert (assignment is not None) == duplex
    if assignment is not None:
        torch.testing.assert_close(assignment.sum(-1), torch.ones(2, 2, 5))


def test_a_duplex_layer_has_no_keys_and_every_parameter_of_both_gets_a_gradient() -> None:
    for duplex in (False, True):
        one = layer(duplex=duplex, iterations=2)
        names = {name for name, _ in one.named_parameters()}
        assert ("to_keys.weight" in names) != duplex and ("to_pos_map.weight" in names) != duplex
        one(**inputs())[0].sin().sum().backward()
        silent = [n for n, p in one.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
        assert not silent


def test_simplex_attention_is_torch_s_between_pixels_and_latents() -> None:
    one, given = layer(integration="add", norm="none", num_heads=2), inputs()
    query = one.to_queries(given["x"]) + one.from_pos_map(given["grid"])  # type: ignore[misc]
    key = one.to_keys(given["latents"]) + one.to_pos_map(given["positions"])  # type: ignore[misc]
    parts = [t.unflatten(2, (2, 4)).transpose(1, 2) for t in (query, key, one.to_values(given["latents"]))]
    gathered = torch.nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
    torch.testing.assert_close(one(**given)[0], given["x"] + one.modulation(gathered))


def test_there_is_no_residual_and_the_norm_of_mul_does_not_subtract_the_mean() -> None:
    one, given = layer(integration="mul"), inputs()
    for p in one.modulation.parameters():
        p.data.zero_()
    x = given["x"]
    torch.testing.assert_close(one(**given)[0], x / x.square().mean(-1, keepdim=True).sqrt())


def test_both_works_at_every_width() -> None:
    """The published code raises unless the layer has two channels."""
    one, given = layer(integration="both"), inputs()
    out, attention, _ = one(**given)
    gathered = (attention @ one.heads(one.to_values(given["latents"]))).transpose(1, 2).flatten(2)
    scale, shift = one.modulation(gathered).split(8, -1)
    x = given["x"] - given["x"].mean(-1, keepdim=True)
    torch.testing.assert_close(out, x / x.square().mean(-1, keepdim=True).sqrt() * (1 + scale) + shift)


def test_a_masked_latent_gets_no_attention() -> None:
    mask = torch.tensor([[1.0, 1, 1, 1, 1], [1, 0, 1, 0, 1]])
    attention = layer()(**inputs(), mask=mask)[1]
    assert float(attention[1][..., [1, 3]].max()) < 1e-6 < float(attention[0].min())


def test_a_sample_does_not_depend_on_the_others_of_its_batch() -> None:
    """In the published code's iterative form it does."""
    maps: list[torch.Tensor] = []
    one = ImageAttention(4, 8, 12, num_latents=5, duplex=True, iterative=True).eval()
    torch.manual_seed(2)
    x, latents, before = torch.randn(3, 8, 4, 4), torch.randn(3, 5, 12), torch.rand(3, 1, 5, 2, 2)
    whole = one(x, latents, maps=[before])
    torch.testing.assert_close(whole[:1], one(x[:1], latents[:1], maps=[before[:1]]))
    assert one(x, latents, maps=maps).shape == x.shape and len(maps) == 1  # the first of a chain: learned centroids
    assert not torch.allclose(whole, one(x, latents, maps=[]))
    assert maps[0].shape == (3, 1, 5, 4, 4)


def test_half_of_dropout_drops_whole_latents_and_none_in_evaluation() -> None:
    one = layer(dropout=0.5).train()
    ones = torch.ones(400, 1, 10, 5)
    kept = one.dropped(ones)
    assert float((kept == 0).all(2).float().mean()) == pytest.approx(0.25, abs=0.04)
    assert float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(one.eval().dropped(ones), ones)


def test_the_grid_is_of_sines_and_cosines_of_x_and_then_of_y() -> None:
    grid = sinusoidal_grid(4, 8)
    x, y = -1 + 2 * 3 / 3, -1 + 2 * 1 / 3  # of the last column, the second row
    waves = [f(c / w) for c in (x, y) for f in (math.sin, math.cos) for w in (1, 100)]
    torch.testing.assert_close(grid[1, 3], torch.tensor(waves))
    with pytest.raises(ValueError, match="a multiple of 4"):
        sinusoidal_grid(4, 6)


def test_memory_is_linear_in_the_number_of_pixels() -> None:
    assert layer()(torch.randn(1, 1000, 8), torch.randn(1, 5, 12))[1].numel() == 5 * 1000


def test_assigned_divides_what_a_latent_gets_among_the_pixels() -> None:
    attention = torch.tensor([[[[0.5, 0.5], [0.25, 0.75]]]])
    torch.testing.assert_close(assigned(attention)[0, 0], torch.tensor([[2 / 3, 1 / 3], [0.4, 0.6]]))
