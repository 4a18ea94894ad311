"""Mamba: a language model without attention; its memory is a state of fixed size, and it chooses what it keeps.

Gu and Dao 2023, "Mamba: Linear-time sequence modeling with selective state spaces". No section in D2L. First values
from mamba_ssm. All names of parameters are those of transformers' ``MambaForCausalLM``, so that published weights load
by their names.

    dive fit long_context/mamba                   Python's documentation by character, trained at 128, read at 1,024
    dive fit long_context/mamba --model.selective false
    dive test long_context/mamba --model.bits 4   with weights of four bits

A layer: in_proj -> (u, gate); a short causal convolution; step, B and C of each token; the recurrence of
``selective_scan.py``; times silu(gate); out_proj. The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.layers.packed_linear import packed
from lit_models.layers.precision import at_least_float32
from lit_models.layers.quantized_linear import quantized
from lit_models.long_context.selective_scan import Method, selective_scan
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains

LayerState = tuple[Tensor, Tensor]  # the last inputs of the convolution (B, D, K - 1), the recurrence's state (B, D, N)


class MambaMixer(nn.Module):
    """(B, T, hidden_size) and a state -> the same.

    Args:
        hidden_size: Features of a token.
        state_size: N, numbers of state for each channel.
        conv_size: K, tokens that the convolution sees.
        expand: Channels D divided by ``hidden_size``.
        rank: Rank of the step's projection; 0 means hidden_size / 16, rounded up.
        selective: Step, B and C depend on the token; else they are constants, as in S4.
        scan: How the recurrence is computed.
    """

    def __init__(
        self,
        hidden_size: int,
        state_size: int = 16,
        conv_size: int = 4,
        expand: int = 2,
        rank: int = 0,
        selective: bool = True,
        scan: Method = "sequential",
    ) -> None:
        super().__init__()
        inner, rank = expand * hidden_size, rank or math.ceil(hidden_size / 16)
        self.sizes, self.scan = (rank, state_size, state_size), scan
        self.in_proj = nn.Linear(hidden_size, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, conv_size, groups=inner)
        if selective:
            self.x_proj = nn.Linear(inner, sum(self.sizes), bias=False)
        else:
            self.constants = nn.Parameter(torch.randn(sum(self.sizes)))
        self.selective = selective
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1, state_size + 1).float().log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, hidden_size, bias=False)
        with torch.no_grad():  # steps of 0.001 to 0.1, evenly in their logarithm, by the inverse of softplus
            step = torch.exp(torch.empty(inner).uniform_(math.log(0.001), math.log(0.1)))
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))
            nn.init.uniform_(self.dt_proj.weight, -(rank**-0.5), rank**-0.5)

    def initial(self, x: Tensor) -> LayerState:
        """The state before the first token of x (B, T, hidden_size)."""
        inner, state_size = self.A_log.shape
        rows = x.shape[0]
        start = at_least_float32(x.new_zeros(rows, inner, state_size))
        return x.new_zeros(rows, inner, self.conv1d.kernel_size[0] - 1), start

    def forward(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        past, start = state
        u, gate = self.in_proj(x).chunk(2, -1)  # (B, T, D)
        seen = torch.cat([past.to(u.dtype), u.transpose(1, 2)], 2)  # (B, D, K - 1 + T)
        u = F.silu(self.conv1d(seen)).transpose(1, 2)
        chosen = self.x_proj(u) if self.selective else self.constants.expand(*u.shape[:2], -1)
        step, b, c = chosen.split(self.sizes, -1)
        delta, a = F.softplus(at_least_float32(self.dt_proj(step))), -torch.exp(at_least_float32(self.A_log))
        y, after = selective_scan(u, delta, a, b, c, start, self.scan)
        y = (y.to(u.dtype) + self.D * u) * F.silu(gate)
        return self.out_proj(y), (seen[:, :, seen.shape[2] - past.shape[2] :], after)


class MambaBlock(nn.Module):
    """x + mixer(norm(x)).

    Args:
        hidden_size: Features of a token.
        mixer: The ``MambaMixer``.
        norm_eps: Of the RMS normalization.
    """

    def __init__(self, hidden_size: int, mixer: MambaMixer, norm_eps: float) -> None:
        super().__init__()
        self.norm, self.mixer = nn.RMSNorm(hidden_size, norm_eps), mixer

    def forward(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        y, after = self.mixer(self.norm(x), state)
        return x + y, after


class Backbone(nn.Module):
    """Tokens (B, T) and the states of the layers -> features (B, T, hidden_size) and the new states.

    Args:
        vocab_size, hidden_size: Of the embedding.
        layers: The blocks.
        norm_eps: Of the last normalization.
    """

    def __init__(self, vocab_size: int, hidden_size: int, layers: list[MambaBlock], norm_eps: float) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, hidden_size)
        self.layers = nn.ModuleList(layers)
        self.norm_f = nn.RMSNorm(hidden_size, norm_eps)

    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, tuple[LayerState, ...]]:
        x, after = self.embeddings(tokens), []
        for index, layer in enumerate(self.layers):
            x, new = layer(x, layer.mixer.initial(x) if state is None else state[index])  # type: ignore[union-attr, operator]
            after.append(new)
        return self.norm_f(x), tuple(after)


class Mamba(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) of each next token, any T.

    Args:
        vocab_size: Number V of tokens.
        hidden_size, num_layers: Width and depth.
        state_size, conv_size, expand, rank, selective, scan: See ``MambaMixer``.
        norm_eps: Of all RMS normalizations.
        seq_len: Tokens of a text in training; changes nothing in the network.
    """

    context = 0  # a text may have any length

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        state_size: int = 16,
        conv_size: int = 4,
        expand: int = 2,
        rank: int = 0,
        selective: bool = True,
        scan: Literal["sequential", "parallel"] = "sequential",
        norm_eps: float = 1e-5,
        seq_len: int = 128,
    ) -> None:
        super().__init__()
        mixers = [
            MambaMixer(hidden_size, state_size, conv_size, expand, rank, selective, scan) for _ in range(num_layers)
        ]
        blocks = [MambaBlock(hidden_size, mixer, norm_eps) for mixer in mixers]
        self.backbone = Backbone(vocab_size, hidden_size, blocks, norm_eps)
        self.lm_head = nn.Linear(hidden_size, vocab_size, bias=False)
        self.lm_head.weight = self.backbone.embeddings.weight
        nn.init.normal_(self.lm_head.weight, std=0.02)
        for mixer in mixers:
            nn.init.kaiming_uniform_(mixer.out_proj.weight, math.sqrt(5))
            with torch.no_grad():
                mixer.out_proj.weight.div_(math.sqrt(num_layers))

    @property
    def kind(self) -> str:
        return f"Mamba with {len(self.backbone.layers)} layers"

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """``MambaForCausalLM``'s tensors; a file may leave out the output matrix, which is the embedding."""
        head = tensors.get("lm_head.weight", tensors["backbone.embeddings.weight"])
        return tensors | {"lm_head.weight": head}

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(tokens, None)[0]

    def decode(self, tokens: Tensor, state: Any) -> tuple[Tensor, tuple[LayerState, ...]]:
        """Continues from ``state`` (None: the beginning), which is not changed: (B, T) -> logits (B, T, V)."""
        x, state = self.backbone(tokens, state)
        return self.lm_head(x), state

    def for_decoding(self) -> "Mamba":
        """A copy that generates faster: the same numbers, from matrices in the order that single tokens need."""
        return packed(self)


@trains(Mamba)
class LitMamba(LanguageModel):
    """Mamba trained as a language model. ``weights`` are Hugging Face's, of the same sizes.

    Args:
        bits: In a test or prediction, the dense layers have weights of 8 or 4 bits; 0 leaves them as they are.
    """

    def __init__(self, bits: int = 0, **task: Any) -> None:
        super().__init__(**task)
        if bits not in (0, 4, 8):
            raise UserError(f"model.bits is {bits}: give 8, 4, or 0 for weights as they were trained")
        self.bits = bits

    def on_test_start(self) -> None:
        super().on_test_start()
        self.round_weights()

    def on_predict_start(self) -> None:
        super().on_predict_start()
        self.round_weights()

    def round_weights(self) -> None:
        if self.bits:
            self.net = quantized(self.net, self.bits)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weight decay on matrices only, without the A of the recurrence (mamba_ssm's ``_no_weight_decay``)."""
        decayed = [p for n, p in self.named_parameters() if p.ndim >= 2 and not n.endswith("A_log")]
        exempt = [p for n, p in self.named_parameters() if p.ndim < 2 or n.endswith("A_log")]
        return [{"params": decayed}, {"params": exempt, "weight_decay": 0.0}]
