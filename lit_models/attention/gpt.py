"""GPT: a transformer's decoder without an encoder; it predicts the next token and can therefore generate text.

Radford et al. 2019, "Language models are unsupervised multitask learners" (``variant: gpt2``). D2L 11.9.3.
Touvron et al. 2023, "LLaMA" (``variant: llama``): RMSNorm, SwiGLU, rotary positions, no biases, grouped
queries. Both load Hugging Face's weights by their names (``weights``).

    dive fit attention/gpt                Python's documentation in byte pairs, offline
    dive fit attention/gpt_modern         the same with the parts of current models
    dive generate attention/gpt --prompt "The module"

The numbers they reach are in RESULTS.md.
"""

import math
from copy import deepcopy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.attention.gpt_config import sizes_of
from lit_models.attention.gpt_decoder import GPTDecoder
from lit_models.attention.gpt_weights import convert
from lit_models.layers.feed_forward import FeedForward, SwiGLU
from lit_models.layers.kv_cache import DecoderState
from lit_models.layers.lora import LoRALinear, merge_lora
from lit_models.layers.mixture_of_experts import MixtureOfExperts
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions, RotaryPositions
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.trains import trains


class GPT(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) of each next token.

    Args:
        vocab_size: Number V of tokens.
        seq_len: Longest sequence in training; the limit of learned positions, and of the tokens that ``decode`` reads.
        hidden_size, num_layers, num_heads: Width D, depth and heads.
        num_kv_heads: Heads of keys and values; 0 means ``num_heads``.
        ffn_size: Inner features of the feed-forward part; 0 means 4 D, and for ``llama`` 8/3 D rounded up to 32s, which
            has as many parameters.
        dropout: Of embeddings, attention weights and each part's output; ``llama`` has none.
        variant: ``gpt2`` or ``llama``.
        window: How many tokens a token attends to, including itself; 0 means all earlier ones. With rotary positions
            and a window of at most ``seq_len`` a text may have any length, since all distances occur in training.
        tied: The embedding is also the output matrix (Press and Wolf 2017).
        norm_eps: 0 means 1e-5 for ``gpt2`` and 1e-6 for ``llama``.
        rope_theta: Base of the rotary positions of ``llama``: 10,000 in the paper, 500,000 in Llama 3.
        num_experts: Feed-forward parts of each layer, between which a router chooses for each token
            (``layers/mixture_of_experts.py``); 0 means one part and no router.
        experts_per_token: Experts that a token uses: 1 as in Switch, 2 as in Mixtral.
        capacity_factor: Of an expert, in training; 0 means no limit.
    """

    def __init__(
        self,
        vocab_size: int,
        seq_len: int = 128,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        num_kv_heads: int = 0,
        ffn_size: int = 0,
        dropout: float = 0.1,
        variant: Literal["gpt2", "llama"] = "gpt2",
        window: int = 0,
        tied: bool = True,
        norm_eps: float = 0.0,
        rope_theta: float = 10_000.0,
        num_experts: int = 0,
        experts_per_token: int = 1,
        capacity_factor: float = 0.0,
    ) -> None:
        super().__init__()
        modern = variant == "llama"
        self.variant, self.seq_len, self.window, self.num_layers = variant, seq_len, window, num_layers
        self.norm_eps, self.rope_theta = norm_eps or (1e-6 if modern else 1e-5), rope_theta
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.positions = None if modern else LearnedPositions(hidden_size, seq_len)
        self.dropout = nn.Dropout(0.0 if modern else dropout)
        rotary = RotaryPositions(hidden_size // num_heads, seq_len, rope_theta) if modern else None

        def norm() -> nn.Module:
            return (nn.RMSNorm if modern else nn.LayerNorm)(hidden_size, self.norm_eps)

        def layer() -> TransformerLayer:
            attention = MultiHeadAttention(
                hidden_size,
                num_heads,
                num_kv_heads,
                dropout=self.dropout.p,
                bias=not modern,
                causal=True,
                window=window,
                rotary=rotary,
            )
            size = ffn_size or (32 * math.ceil(hidden_size / 12) if modern else 4 * hidden_size)

            def part() -> nn.Module:
                return SwiGLU(hidden_size, size) if modern else FeedForward(hidden_size, size, "gelu_tanh")

            mlp = part()
            if num_experts:
                mlp = MixtureOfExperts(hidden_size, num_experts, part, experts_per_token, capacity_factor)
            return TransformerLayer(attention, mlp, norm, dropout=self.dropout.p)

        self.layers = nn.ModuleList(layer() for _ in range(num_layers))
        self.norm = norm()
        self.head = nn.Linear(hidden_size, vocab_size, bias=False)
        self.initialize()
        if tied:
            self.head.weight = self.embedding.weight

    def initialize(self) -> None:
        """GPT-2's initialization: normal, std 0.02; divided by sqrt(2 num_layers) for outputs to residuals."""
        for name, p in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(p)
            elif p.ndim > 1:
                into_stream = name.endswith(("output.weight", "outer.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * self.num_layers) if into_stream else 0.02)

    @property
    def context(self) -> int:
        """Maximum number of tokens that ``decode`` reads; 0 means any number.

        Rotary positions can be computed beyond ``seq_len``, but the network was not trained on such distances and
        its output is not usable there.
        """
        unlimited = self.positions is None and 0 < self.window <= self.seq_len
        return 0 if unlimited else self.seq_len

    @property
    def kind(self) -> str:
        return f"GPT of variant {self.variant} with {self.num_layers} layers"

    def sizes(self) -> dict[str, Any]:
        """The arguments that decide whether weights fit, with 0 replaced by what it stands for."""
        first: Any = self.layers[0]
        experts = getattr(first.feed_forward, "experts", [])
        sizes = {
            "variant": self.variant,
            "vocab_size": self.embedding.num_embeddings,
            "hidden_size": self.embedding.embedding_dim,
            "num_layers": self.num_layers,
            "num_heads": first.attention.num_heads,
            "num_kv_heads": first.attention.groups,
            "ffn_size": (experts[0] if experts else first.feed_forward).outer.in_features,
            "window": self.window,
            "tied": self.head.weight is self.embedding.weight,
            "norm_eps": self.norm_eps,
        }
        if experts:
            sizes |= {"num_experts": len(experts), "experts_per_token": first.feed_forward.top_k}
        return sizes | ({"rope_theta": self.rope_theta} if self.positions is None else {"seq_len": self.seq_len})

    def sizes_of(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same for Hugging Face's weights, as far as they and their ``config.json`` determine them."""
        return sizes_of(tensors, config, self.sizes())

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Hugging Face's tensors under the names of this network."""
        return convert(self, tensors)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.norm(self.features(tokens, None)))

    def features(self, tokens: Tensor, state: DecoderState | None) -> Tensor:
        """(B, T) after the past in ``state`` -> (B, T, D), before the last normalization."""
        offset = state.length if state is not None else 0
        x = self.embedding(tokens)  # (B, T, D)
        if self.positions is not None:
            if offset + tokens.shape[1] > self.seq_len:
                raise UserError(
                    f"{offset + tokens.shape[1]} tokens are more than the context of {self.seq_len}: give a shorter "
                    "prompt, fewer new tokens, or train with a larger data.seq_len"
                )
            x = self.positions(x, offset)
        x = self.dropout(x)
        for index, layer in enumerate(self.layers):
            x = layer(x, caches=None if state is None else state.layer(index))
        return x

    def decode(self, tokens: Tensor, state: DecoderState | None) -> tuple[Tensor, DecoderState]:
        """Continues from ``state`` (None: the beginning), which is changed in place: (B, T) -> logits (B, T, V).

        If the context is full, with learned or rotary positions, the text continues from its last half.
        """
        state = state or DecoderState(self.num_layers, self.window, capacity=self.seq_len)
        new, given, context = tokens.shape[1], tokens, self.context
        if context and state.length and state.length + new > context:
            assert state.tokens is not None
            given = torch.cat([state.tokens, tokens], 1)
            state.forget()
        x = self.features(given, state)[:, -new:]
        if context:
            state.remember(tokens, context // 2)
        return self.head(self.norm(x)), state

    def paged(self, tokens: int) -> Any:
        """A ``PagedGPT`` with memory for the keys and values of so many tokens."""
        from lit_models.attention.paged_gpt import PagedGPT  # which imports this file

        return PagedGPT(self, -(-tokens // 16), 16)

    def for_decoding(self) -> "GPTDecoder | GPT":
        """A copy that generates faster, one token at a time: the same numbers, computed without nested modules.

        A network with experts has none, and returns itself. LoRA's matrices are merged.
        """
        if "num_experts" in self.sizes():
            return self
        net = self
        if any(isinstance(module, LoRALinear) for module in self.modules()):
            net = deepcopy(self)
            merge_lora(net)
        return GPTDecoder(net)


@trains(GPT)
class LitGPT(LanguageModel):
    """GPT trained as a language model. ``weights`` are Hugging Face's, of the same sizes."""
