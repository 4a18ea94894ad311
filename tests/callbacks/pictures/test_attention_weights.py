"""The weights are collected from the modules that keep them, and the model is left as it was."""

from callbacks.pictures.attention_weights import attention_weights
from tests.small import SmallNet
from tests.small_attention import SmallAttention, tokens


def test_weights_of_every_attention_by_name() -> None:
    model, x = SmallAttention(), tokens()
    before = model.eval()(x)
    found = attention_weights(model.train(), x)
    assert list(found) == ["net.layers.0.attention", "net.layers.1.attention"]
    assert all(w.shape == (2, 2, 6, 6) for w in found.values())
    assert model.training and bool((model.eval()(x) == before).all())
    keepers = [m for m in model.modules() if hasattr(m, "need_weights")]
    assert len(keepers) == 2 and not any(m.need_weights or m.weights is not None for m in keepers)


def test_a_network_without_attention_has_none() -> None:
    assert attention_weights(SmallNet(), tokens().float()) == {}
