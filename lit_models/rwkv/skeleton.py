"""What the four versions of RWKV share: embedding, blocks, head, state, and how weights begin.

    x = ln0(emb);  in each block  x += att(ln1(x)),  x += ffn(ln2(x));  logits = head(ln_out(x))

``att`` mixes over time, ``ffn`` over channels; both look at the token before by ``shift``. All names of parameters are
those of BlinkDL's files (RWKV-LM, ChatRWKV), so that weights go both ways without renaming.

The state of a sequence is a tuple with one tuple of tensors per block, (the last input of att, the operator's state,
the last input of ffn), each tensor with the batch first. It has a fixed size, and it is never changed in place: keeping
an old state is enough to go back to it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.packed_linear import packed

State = tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network, and where in it a layer is, on which the initial values depend.

    Args:
        vocab_size: V.
        hidden_size: C.
        num_layers: L.
        head_size: N, channels of a head; version 4 has no heads.
        ffn_size: F, inner channels of ``ffn``.
        ranks: Ranks of the low-rank matrices of versions 6 and 7, by name.
        state_tuning: The operator's first state is a parameter.
        layer: This layer's number.
        negative_eigenvalues: See ``rwkv``.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    head_size: int
    ffn_size: int
    ranks: dict[str, int] = field(default_factory=dict)
    state_tuning: bool = False
    layer: int = 0
    negative_eigenvalues: bool = False

    @property
    def heads(self) -> int:
        return self.hidden_size // self.head_size

    @property
    def depth(self) -> float:
        """0 in the first layer, 1 in the last; 0 in a network of one layer, where upstream divides by zero."""
        return self.layer / (self.num_layers - 1) if self.num_layers > 1 else 0.0

    @property
    def height(self) -> float:
        """1 in the first layer, almost 0 in the last."""
        return 1.0 - self.layer / self.num_layers

    def channels(self) -> Tensor:
        """i / C for each channel, (1, 1, C)."""
        return torch.arange(self.hidden_size).view(1, 1, -1) / self.hidden_size

    def linear(self) -> Tensor:
        """0 in the first channel to 1 in the last, (C,)."""
        return torch.arange(self.hidden_size) / max(1, self.hidden_size - 1)


def shift(x: Tensor, last: Tensor) -> Tensor:
    """Each token's predecessor: (B, T, C), beginning with the last token (B, C) before them."""
    first = last[:, None].to(x.dtype)
    return first if x.shape[1] == 1 else torch.cat([first, x[:, :-1]], 1)


def dense(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


class ChannelMix(nn.Module):
    """The ffn of versions 4 to 6: sigmoid(R x_r) * V relu(K x_k)^2. (B, T, C) -> (B, T, C).

    Args:
        sizes: See ``Sizes``.
        past: The weights of the mixture weigh the past (version 6, ``time_maa``) instead of the present (``time_mix``).
    """

    time_mix_k: Tensor
    time_mix_r: Tensor
    time_maa_k: Tensor
    time_maa_r: Tensor

    def __init__(self, sizes: Sizes, past: bool = False) -> None:
        super().__init__()
        self.past = past
        now = sizes.channels() ** sizes.height
        for name in ("k", "r"):
            value = nn.Parameter(1 - now if past else now.clone())
            self.register_parameter(f"time_{'maa' if past else 'mix'}_{name}", value)
        self.key = dense(sizes.hidden_size, sizes.ffn_size)
        self.receptance = dense(sizes.hidden_size, sizes.hidden_size)
        self.value = dense(sizes.ffn_size, sizes.hidden_size)

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        before = shift(x, last)
        if self.past:
            x_k, x_r = torch.lerp(x, before, self.time_maa_k), torch.lerp(x, before, self.time_maa_r)
        else:
            x_k, x_r = torch.lerp(before, x, self.time_mix_k), torch.lerp(before, x, self.time_mix_r)
        return torch.sigmoid(self.receptance(x_r)) * self.value(torch.relu(self.key(x_k)).square())


class Block(nn.Module):
    """One layer. (B, T, C) and its state -> (B, T, C) and the new state.

    Args:
        sizes: See ``Sizes``.
        time_mix, channel_mix: Make ``att`` and ``ffn``.
    """

    def __init__(self, sizes: Sizes, time_mix: Callable[[Sizes], nn.Module], channel_mix: Any) -> None:
        super().__init__()
        self.ln0 = nn.LayerNorm(sizes.hidden_size) if sizes.layer == 0 else None
        self.ln1, self.ln2 = nn.LayerNorm(sizes.hidden_size), nn.LayerNorm(sizes.hidden_size)
        self.att, self.ffn = time_mix(sizes), channel_mix(sizes)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], first: Any) -> tuple[Tensor, tuple[Tensor, ...], Any]:
        """``first`` is what layer 0 hands to all others (the values, in version 7), None before it."""
        if self.ln0 is not None:
            x = self.ln0(x)
        last_att, *inner, last_ffn = state
        seen = self.ln1(x)
        y, after, first = self.att(seen, last_att, inner, first)
        x = x + y
        read = self.ln2(x)
        x = x + self.ffn(read, last_ffn)
        return x, (seen[:, -1], *after, read[:, -1]), first


class RWKV(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) of each next token, any T.

    Args:
        version: 4, 5 (that is 5.2), 6 or 7.
        sizes: See ``Sizes``.
        time_mix, channel_mix: Make ``att`` and ``ffn`` of a layer. ``time_mix.initial(rows, like)`` is its first state.
    """

    def __init__(self, version: int, sizes: Sizes, time_mix: Any, channel_mix: Any) -> None:
        super().__init__()
        if sizes.hidden_size % sizes.head_size:
            raise UserError(
                f"model.hidden_size {sizes.hidden_size} is not a multiple of model.head_size {sizes.head_size}"
            )
        self.version, self.given = version, sizes
        self.emb = nn.Embedding(sizes.vocab_size, sizes.hidden_size)
        layers = [Sizes(**{**vars(sizes), "layer": i}) for i in range(sizes.num_layers)]
        self.blocks = nn.ModuleList(Block(layer, time_mix, channel_mix) for layer in layers)
        self.ln_out = nn.LayerNorm(sizes.hidden_size)
        self.head = dense(sizes.hidden_size, sizes.vocab_size)
        initialize(self)
        if sizes.state_tuning:
            for name, p in self.named_parameters():
                p.requires_grad_(name.endswith("att.time_state"))

    @property
    def kind(self) -> str:
        return f"RWKV-{self.version} with {self.given.num_layers} layers"

    def initial_state(self, x: Tensor) -> State:
        """The state of sequences before their first token: (B, ...), of the type and on the device of x (B, T, C)."""
        rows = x.shape[0]  # not len(x), which an exported graph would keep as a number
        zeros = x.new_zeros(rows, x.shape[2])
        return tuple((zeros, *block.att.initial(rows, x), zeros) for block in self.blocks)  # type: ignore

    def decode(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Continues from ``state`` (None: the beginning), which is not changed: (B, T) -> logits (B, T, V)."""
        x, state = self.features(tokens, state)
        return self.head(x), state

    def features(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """As ``decode``, before the head: (B, T, C)."""
        x, after, first = self.emb(tokens), [], None
        state = self.initial_state(x) if state is None else state
        for block, own in zip(self.blocks, state, strict=True):
            x, new, first = block(x, own, first)
            after.append(new)
        return self.ln_out(x), tuple(after)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(tokens, None)[0]

    def for_decoding(self) -> "RWKV":
        """A copy that generates faster: the same numbers, from matrices in the order that single tokens need."""
        return packed(self)


def matrix_scale(name: str, version: int) -> float:
    """The gain of a matrix's first values: 0 for zeros, of an orthogonal matrix otherwise (``generate_init_weight``).

    Zeros leave a part silent at the start; version 4 also has the average of all past tokens at the start (key 0).
    """
    part = ".".join(name.split(".")[2:-1])  # att.key
    zeros = {"att.output", "ffn.value", "ffn.receptance"} | ({"att.key", "att.receptance"} if version == 4 else set())
    return 0.0 if part in zeros else 0.1 if part in ("att.key", "att.gate") and version > 4 else 1.0


@torch.no_grad()
def initialize(net: RWKV) -> None:
    """``generate_init_weight`` of RWKV-LM: overrides the first values of every matrix that is named ``.weight``.

    The vectors (decays, bonuses, mixtures) keep those of their layer's constructor. In version 4 upstream draws the
    embedding from as small an interval as the learning rate, 1e-4 here as in the later versions.
    """
    vocab_size, hidden_size = net.emb.weight.shape
    nn.init.uniform_(net.emb.weight, -1e-4, 1e-4)
    nn.init.orthogonal_(net.head.weight, 0.5 * math.sqrt(max(1.0, vocab_size / hidden_size)))
    for name, p in net.blocks.named_parameters(prefix="blocks"):
        if not name.endswith(".weight"):
            continue
        if name.endswith("ln_x.weight") and net.version > 4:
            p.fill_(((1 + int(name.split(".")[1])) / net.given.num_layers) ** 0.7)
        elif p.ndim == 2:
            scale = matrix_scale(name, net.version)
            tall = max(1.0, p.shape[0] / p.shape[1]) if net.version == 4 else 1.0
            nn.init.orthogonal_(p, scale * math.sqrt(tall)) if scale else nn.init.zeros_(p)
