"""T5: buckets of distances, and attention that knows no positions. `dive verify` compares it with transformers."""

import torch

from lit_models.translation.t5 import T5, RelativeBias, UnscaledAttention, bucket


def test_near_distances_have_a_bucket_each_and_far_ones_share() -> None:
    far = bucket(-torch.arange(200), both=False)
    assert far[:16].tolist() == list(range(16)) and int(far.max()) == 31
    assert far[128:].unique().tolist() == [31] and bool((far.diff() >= 0).all())
    assert bucket(torch.tensor([3, 100]), both=False).tolist() == [0, 0]  # later keys
    both = bucket(torch.tensor([-3, 0, 3, 500]), both=True)
    assert both.tolist() == [3, 0, 16 + 3, 31]


def test_a_bias_depends_on_the_distance_only_and_a_later_query_has_its_own_row() -> None:
    bias = RelativeBias(2, both=True, buckets=8, max_distance=10)
    torch.nn.init.normal_(bias.weight)
    whole = bias(6, 6)
    assert whole.shape == (1, 2, 6, 6)
    torch.testing.assert_close(whole[..., 1:, 1:], whole[..., :-1, :-1])
    torch.testing.assert_close(bias(1, 6), whole[..., -1:, :])


def test_scores_are_not_divided() -> None:
    attention = UnscaledAttention(8, 2, head_size=3).double()
    x = torch.randn(1, 4, 8, dtype=torch.float64)
    query, key, value = attention.qkv(x).view(1, 4, 6, 3).transpose(1, 2).split(2, 1)
    mean = (query @ key.transpose(-2, -1)).softmax(-1) @ value
    torch.testing.assert_close(attention(x), attention.output(mean.transpose(1, 2).flatten(2)))


def test_moving_a_source_and_its_padding_changes_nothing_but_order_does() -> None:
    torch.manual_seed(0)
    net = T5(13, 8, 2, 12, 1, dropout=0.0).double().eval()
    source, length, target = torch.tensor([[5, 6, 7, 2]]), torch.tensor([4]), torch.tensor([[0, 5, 6]])
    torch.testing.assert_close(net(torch.tensor([[5, 6, 7, 2, 9]]), length, target), net(source, length, target))
    assert not torch.allclose(net(source[:, [1, 0, 2, 3]], length, target), net(source, length, target))


def test_logits_are_divided_by_the_root_of_the_features_where_they_are_scaled() -> None:
    net = T5(13, 16, 2, 12, 1, dropout=0.0).double().eval()
    inputs = torch.tensor([[5, 6, 7, 2]]), torch.tensor([4]), torch.tensor([[0, 5, 6]])
    scaled, net.scale_output = net(*inputs), False
    torch.testing.assert_close(scaled * 4, net(*inputs))


def test_weights_that_are_kept_give_the_same_output() -> None:
    torch.manual_seed(0)
    net = T5(13, 8, 2, 12, 1, dropout=0.0).double().eval()
    inputs = torch.tensor([[5, 6, 7, 2]]), torch.tensor([3]), torch.tensor([[0, 5, 6]])
    expected = net(*inputs)
    for layer in (*net.encoder, *net.decoder):
        layer.attention.need_weights = True  # type: ignore[union-attr]
    torch.testing.assert_close(net(*inputs), expected)
    weights = net.encoder[0].attention.weights  # type: ignore[union-attr]
    assert weights.shape == (1, 2, 4, 4) and float(weights[..., 3].abs().max()) < 1e-9  # type: ignore[union-attr,index]
