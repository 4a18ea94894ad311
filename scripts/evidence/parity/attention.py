"""The layers of attention and the encoder-decoder against torch."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.attention.transformer import Transformer
from lit_models.layers.attention import length_mask
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.transformer_layer import TransformerLayer
from scripts.evidence.verify import Check, Tensors

D, HEADS, FFN, V = 16, 4, 24, 11
LENGTHS = torch.tensor([7, 4, 1])


def inputs(rows: int = 3, length: int = 7) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(rows, length, D, dtype=torch.float64, requires_grad=True)


def with_gradients(output: Tensor, **leaves: Tensor) -> Tensors:
    """The output, and the gradients of a loss on it with respect to ``leaves``."""
    output.sin().sum().backward()
    found: Any = {"output": output}
    return found | {f"grad {name}": leaf.grad for name, leaf in leaves.items()}


def seeded(make: Callable[[], nn.Module]) -> Any:
    """A module in double precision, evaluation, with every parameter drawn: biases and gains too."""
    torch.manual_seed(2)
    module = make().double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


# -- multi-head attention and layers -------------------------------------------------------------------------------


def torch_attention() -> nn.MultiheadAttention:
    return seeded(lambda: nn.MultiheadAttention(D, HEADS, batch_first=True))


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    """Ours may have no biases, where theirs are zero."""
    bias = ours.qkv.bias is not None
    ours.qkv.load_state_dict({"weight": theirs.in_proj_weight} | ({"bias": theirs.in_proj_bias} if bias else {}))
    ours.output.load_state_dict(theirs.out_proj.state_dict(), strict=bias)


def our_attention(need_weights: bool) -> Tensors:
    theirs, x = torch_attention(), inputs()
    ours = MultiHeadAttention(D, HEADS, bias=True).double()
    copy_attention(ours, theirs)
    ours.need_weights = need_weights
    output = ours(x, mask=length_mask(LENGTHS, 7))
    return with_gradients(output, x=x, qkv=ours.qkv.weight, projection=ours.output.weight)


def their_attention(tiled: bool = False) -> Tensors:
    theirs, x = torch_attention(), inputs()
    hidden = torch.arange(7) >= LENGTHS[:, None]  # (B, K)
    if tiled:  # lengths tiled over the heads, where heads of one row lie side by side (D2L 11.5: repeat_interleave)
        mask = hidden.repeat(HEADS, 1)[:, None].expand(-1, 7, -1)
        output = theirs(x, x, x, attn_mask=mask)[0]
    else:
        output = theirs(x, x, x, key_padding_mask=hidden)[0]
    return with_gradients(output, x=x, qkv=theirs.in_proj_weight, projection=theirs.out_proj.weight)


def copy_layer(ours: Any, theirs: Any) -> None:
    """Weights of ``nn.TransformerEncoderLayer`` or ``nn.TransformerDecoderLayer``."""
    copy_attention(ours.attention, theirs.self_attn)
    norms = [theirs.norm1, theirs.norm2]
    targets = [ours.attention_norm, ours.feed_forward_norm]
    if ours.has_memory:
        copy_attention(ours.cross_attention, theirs.multihead_attn)
        norms, targets = [*norms, theirs.norm3], [ours.attention_norm, ours.memory_norm, ours.feed_forward_norm]
    for target, norm in zip(targets, norms, strict=True):
        target.load_state_dict(norm.state_dict())
    for dense, linear in ((ours.feed_forward.inner, theirs.linear1), (ours.feed_forward.outer, theirs.linear2)):
        dense.load_state_dict(linear.state_dict())  # type: ignore[union-attr,operator]


def torch_layer(pre_norm: bool) -> nn.TransformerEncoderLayer:
    settings: Any = {"activation": "gelu", "batch_first": True, "norm_first": pre_norm}
    return seeded(lambda: nn.TransformerEncoderLayer(D, HEADS, FFN, **settings))


def our_layer(pre_norm: bool) -> Tensors:
    attention = MultiHeadAttention(D, HEADS, bias=True)
    layer = TransformerLayer(attention, FeedForward(D, FFN, "gelu"), partial(nn.LayerNorm, D), pre_norm=pre_norm)
    layer = layer.double()
    copy_layer(layer, torch_layer(pre_norm))
    x = inputs()
    ffn: Any = layer.feed_forward.inner
    return with_gradients(layer(x, length_mask(LENGTHS, 7)), x=x, ffn=ffn.weight)


def their_layer(pre_norm: bool, swap: bool = False) -> Tensors:
    layer, x = torch_layer(pre_norm), inputs()
    layer.norm_first = pre_norm != swap
    output = layer(x, src_key_padding_mask=torch.arange(7) >= LENGTHS[:, None])
    return with_gradients(output, x=x, ffn=layer.linear1.weight)


# -- the encoder-decoder -------------------------------------------------------------------------------------------

SOURCE = torch.tensor([[4, 5, 6, 7, 2], [9, 5, 2, 0, 0]])
LENGTH = torch.tensor([5, 3])
TARGET = torch.tensor([[1, 6, 5, 8], [1, 7, 4, 9]])


class TorchTransformer(nn.Module):
    """``nn.Transformer`` between embeddings, sinusoidal positions and an output matrix, as the paper draws it."""

    def __init__(self, pre_norm: bool, causal: bool = True) -> None:
        super().__init__()
        self.causal, self.pre_norm = causal, pre_norm
        self.source, self.target = nn.Embedding(V, D), nn.Embedding(V, D)
        settings: Any = {"batch_first": True, "norm_first": pre_norm, "dropout": 0.0}
        with warnings.catch_warnings():  # of a fast path that it does not take
            warnings.simplefilter("ignore")
            self.body = nn.Transformer(D, HEADS, 2, 2, FFN, **settings)
        if not pre_norm:  # the paper has no norm after the last layer's own
            self.body.encoder.norm = self.body.decoder.norm = None
        self.head = nn.Linear(D, V)

    def embed(self, tokens: Tensor, embedding: nn.Embedding) -> Tensor:
        position = torch.arange(tokens.shape[1], dtype=torch.float64)[:, None]
        angle = position / 10_000 ** (torch.arange(D) // 2 * 2 / D).double()
        table = torch.where(torch.arange(D) % 2 == 0, angle.sin(), angle.cos())
        return embedding(tokens) * D**0.5 + table

    def forward(self, source: Tensor, length: Tensor, target: Tensor) -> Tensor:
        padding = torch.arange(source.shape[1]) >= length[:, None]
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1) if self.causal else None
        output = self.body(
            *(self.embed(source, self.source), self.embed(target, self.target)),
            tgt_mask=future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return self.head(output)


def translated(net: nn.Module, named: dict[str, Tensor]) -> Tensors:
    logits = net(SOURCE, LENGTH, TARGET)
    F.cross_entropy(logits.flatten(0, 1), TARGET.roll(-1, 1).flatten()).backward()
    return {"logits": logits} | {f"grad {name}": p.grad for name, p in named.items()}  # type: ignore[dict-item]


def our_transformer(pre_norm: bool) -> Tensors:
    theirs = seeded(lambda: TorchTransformer(pre_norm))
    torch.set_default_dtype(torch.float64)  # the table of positions is made in it
    net = Transformer(V, V, D, 2, HEADS, FFN, dropout=0.0, pre_norm=pre_norm, bias=True)
    torch.set_default_dtype(torch.float32)
    net.source_embedding.load_state_dict(theirs.source.state_dict())
    net.target_embedding.load_state_dict(theirs.target.state_dict())
    net.head.load_state_dict(theirs.head.state_dict())
    for ours, layers in ((net.encoder, theirs.body.encoder.layers), (net.decoder, theirs.body.decoder.layers)):
        for mine, other in zip(ours, layers, strict=True):
            copy_layer(mine, other)
    if pre_norm:
        net.encoder_norm.load_state_dict(theirs.body.encoder.norm.state_dict())
        net.decoder_norm.load_state_dict(theirs.body.decoder.norm.state_dict())
    return translated(net, {"source": net.source_embedding.weight, "target": net.target_embedding.weight})


def their_transformer(pre_norm: bool, causal: bool = True) -> Tensors:
    net = seeded(lambda: TorchTransformer(pre_norm, causal))
    return translated(net, {"source": net.source.weight, "target": net.target.weight})


CHECKS = [
    *(
        Check(
            name=f"attention/multi_head{suffix}",
            claim=f"Multi-head attention ({path}) with padded keys against nn.MultiheadAttention",
            package="torch",
            ours=partial(our_attention, keep),
            reference=their_attention,
            control=partial(their_attention, tiled=True),
            mistake="the lengths tiled over the heads instead of repeated",
        )
        for suffix, path, keep in (("", "fused", False), ("_written_out", "written out", True))
    ),
    *(
        Check(
            name=f"attention/layer_{place}_norm",
            claim=f"Transformer layer, {place}-norm, against nn.TransformerEncoderLayer",
            package="torch",
            ours=partial(our_layer, place == "pre"),
            reference=partial(their_layer, place == "pre"),
            control=partial(their_layer, place == "pre", swap=True),
            mistake="the normalization on the other side of each part",
        )
        for place in ("pre", "post")
    ),
    *(
        Check(
            name=f"attention/transformer_{place}_norm",
            claim=f"Encoder-decoder in evaluation, {place}-norm, against nn.Transformer",
            package="torch",
            ours=partial(our_transformer, place == "pre"),
            reference=partial(their_transformer, place == "pre"),
            control=partial(their_transformer, place == "pre", causal=False),
            mistake="no causal mask in evaluation, as in the book",
        )
        for place in ("pre", "post")
    ),
]
