"""A GPT for texts that are longer than those of its training: positions and mixers by argument.

``position`` says how a token knows its place:

- ``learned``: a vector for each place; those after the trained length were never trained.
- ``none``: only the causal mask tells places apart (Haviv et al. 2022).
- ``alibi``: ``alibi.py``.
- ``rotary``, ``linear``, ``ntk``, ``yarn``: ``rotary_scaling.py``, without further training.

``mixer`` says how a token sees the past: ``attention`` (with a window and sinks, ``long_attention.py``) or ``linear``
(``linear_attention.py``).
"""

from typing import Any, Literal

from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.feed_forward import SwiGLU
from lit_models.layers.kv_cache import KVCache
from lit_models.layers.positions import LearnedPositions
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.long_context.linear_attention import LinearAttention, RunningSum
from lit_models.long_context.long_attention import LongAttention
from lit_models.long_context.rotary_scaling import ScaledRotary

Position = Literal["learned", "none", "alibi", "rotary", "linear", "ntk", "yarn"]


class LongState:
    """The caches of all layers: the state of ``LongGPT.decode``, changed in place.

    Args:
        net: The network whose state it is.
    """

    def __init__(self, net: "LongGPT") -> None:
        self.layers: list[Any] = [RunningSum() if net.mixer == "linear" else KVCache() for _ in net.layers]

    @property
    def length(self) -> int:
        """Number of tokens so far."""
        return int(self.layers[0].length)

    def rewind(self, length: int) -> bool:
        """Forgets the tokens after the first ``length``; False for sums, from which nothing can be taken back."""
        if not all(isinstance(layer, KVCache) for layer in self.layers):
            return False
        for layer in self.layers:
            layer.length = length
        return True


class LongGPT(nn.Module):
    """Tokens (B, T) int64 -> logits (B, T, V) of each next token; T may exceed ``seq_len``.

    Args:
        vocab_size: Number V of tokens.
        seq_len: Tokens of a text in training.
        test_len: Longest text; the number of learned positions.
        hidden_size, num_layers, num_heads: Width D, depth and heads.
        ffn_size: Inner features of the feed-forward part; 0 means 8/3 D.
        position, mixer: See above.
        factor: By which rotary positions are scaled; 0 means the length of the text / seq_len, at least 1.
        window: How many keys, including its own, a query may attend to; 0 means all.
        sinks: First tokens of the text that every query may attend to besides.
        dropout: Of attention weights and each part's output.
        rope_theta: Base of the rotary positions.
    """

    def __init__(
        self,
        vocab_size: int,
        seq_len: int = 128,
        test_len: int = 0,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        ffn_size: int = 0,
        position: Position = "yarn",
        mixer: Literal["attention", "linear"] = "attention",
        factor: float = 0.0,
        window: int = 0,
        sinks: int = 0,
        dropout: float = 0.0,
        rope_theta: float = 10_000.0,
    ) -> None:
        super().__init__()
        test_len = max(test_len, seq_len)
        self.position, self.mixer, self.test_len = position, mixer, test_len
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        learned = position == "learned" and mixer == "attention"
        self.positions = LearnedPositions(hidden_size, test_len) if learned else None
        rotary = None
        if position in ("rotary", "linear", "ntk", "yarn") and mixer == "attention":
            kind: Any = "none" if position == "rotary" else position
            rotary = ScaledRotary(hidden_size // num_heads, seq_len, kind, factor, rope_theta)

        def mix() -> Any:
            if mixer == "linear":
                return LinearAttention(hidden_size, num_heads)
            return LongAttention(hidden_size, num_heads, dropout, window, sinks, position == "alibi", rotary)

        self.layers = nn.ModuleList(
            TransformerLayer(
                mix(), SwiGLU(hidden_size, ffn_size or 8 * hidden_size // 3), lambda: nn.RMSNorm(hidden_size, 1e-6),
                dropout=dropout,
            )
            for _ in range(num_layers)
        )  # fmt: skip
        self.norm = nn.RMSNorm(hidden_size, 1e-6)
        self.head = nn.Linear(hidden_size, vocab_size, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.head.weight = self.embedding.weight

    @property
    def context(self) -> int:
        """The most tokens of a text; 0 means any number."""
        return self.test_len if self.positions is not None else 0

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(tokens, None)[0]

    def decode(self, tokens: Tensor, state: LongState | None) -> tuple[Tensor, LongState | None]:
        """Continues from ``state``, which is changed in place: (B, T) -> logits (B, T, V).

        None is the beginning. In training no state is kept.

        Raises:
            UserError: A text is longer than the learned positions.
        """
        if state is None and not self.training:
            state = LongState(self)
        before = state.length if state is not None else 0
        x = self.embedding(tokens)  # (B, T, D)
        if self.positions is not None:
            if before + tokens.shape[1] > self.test_len:
                raise UserError(
                    f"{before + tokens.shape[1]} tokens are more than the {self.test_len} learned positions: give a "
                    "shorter text, or another model.position"
                )
            x = self.positions(x, before)
        for index, layer in enumerate(self.layers):
            x = layer(x, caches=None if state is None else (state.layers[index], None))
        return self.head(self.norm(x)), state
